/*
 * The least a milter can do that is told everything a link tracker must know: libmilter receives every step of
 * the message and its body, and nothing is done with them.
 *
 * noop SOCKET [body]     with "body", only the body is asked for
 */
#include <libmilter/mfapi.h>
#include <string.h>

static sfsistat connected(SMFICTX *ctx, char *host, _SOCK_ADDR *address) { return SMFIS_CONTINUE; }
static sfsistat mail(SMFICTX *ctx, char **argv) { return SMFIS_CONTINUE; }
static sfsistat recipient(SMFICTX *ctx, char **argv) { return SMFIS_CONTINUE; }
static sfsistat header(SMFICTX *ctx, char *name, char *value) { return SMFIS_CONTINUE; }
static sfsistat end_of_headers(SMFICTX *ctx) { return SMFIS_CONTINUE; }
static sfsistat body(SMFICTX *ctx, unsigned char *chunk, size_t length) { return SMFIS_CONTINUE; }
static sfsistat end_of_message(SMFICTX *ctx) { return SMFIS_CONTINUE; }

int main(int argc, char **argv)
{
	struct smfiDesc everything = {
		.xxfi_name = "noop",
		.xxfi_version = SMFI_VERSION,
		.xxfi_connect = connected,
		.xxfi_envfrom = mail,
		.xxfi_envrcpt = recipient,
		.xxfi_header = header,
		.xxfi_eoh = end_of_headers,
		.xxfi_body = body,
		.xxfi_eom = end_of_message,
	};
	struct smfiDesc body_only = {
		.xxfi_name = "noop",
		.xxfi_version = SMFI_VERSION,
		.xxfi_body = body,
		.xxfi_eom = end_of_message,
	};
	if (argc < 2 || smfi_setconn(argv[1]) != MI_SUCCESS)
		return 64;
	if (smfi_register(argc > 2 && strcmp(argv[2], "body") == 0 ? body_only : everything) != MI_SUCCESS)
		return 69;
	return smfi_main();
}
