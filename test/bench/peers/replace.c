/*
 * The least a milter can do that changes the body: libmilter collects it and gives the same bytes back.
 *
 * replace SOCKET
 */
#include <libmilter/mfapi.h>
#include <stdlib.h>
#include <string.h>

/* The body of the connection's present message. */
struct message {
	unsigned char *bytes;
	size_t length, room;
};

static struct message *of(SMFICTX *ctx)
{
	struct message *message = smfi_getpriv(ctx);
	if (message == NULL && (message = calloc(1, sizeof *message)) != NULL)
		smfi_setpriv(ctx, message);
	return message;
}

static sfsistat mail(SMFICTX *ctx, char **argv)
{
	struct message *message = of(ctx);
	if (message == NULL)
		return SMFIS_TEMPFAIL;
	message->length = 0;
	return SMFIS_CONTINUE;
}

static sfsistat recipient(SMFICTX *ctx, char **argv) { return SMFIS_CONTINUE; }
static sfsistat header(SMFICTX *ctx, char *name, char *value) { return SMFIS_CONTINUE; }
static sfsistat end_of_headers(SMFICTX *ctx) { return SMFIS_CONTINUE; }

static sfsistat body(SMFICTX *ctx, unsigned char *chunk, size_t length)
{
	struct message *message = of(ctx);
	if (message->length + length > message->room) {
		size_t room = 2 * (message->length + length);
		unsigned char *bytes = realloc(message->bytes, room);
		if (bytes == NULL)
			return SMFIS_TEMPFAIL;
		message->bytes = bytes;
		message->room = room;
	}
	memcpy(message->bytes + message->length, chunk, length);
	message->length += length;
	return SMFIS_CONTINUE;
}

static sfsistat end_of_message(SMFICTX *ctx)
{
	struct message *message = of(ctx);
	return smfi_replacebody(ctx, message->bytes, (int)message->length) == MI_SUCCESS ? SMFIS_CONTINUE
											 : SMFIS_TEMPFAIL;
}

static sfsistat closed(SMFICTX *ctx)
{
	struct message *message = smfi_getpriv(ctx);
	if (message != NULL)
		free(message->bytes);
	free(message);
	smfi_setpriv(ctx, NULL);
	return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
	struct smfiDesc filter = {
		.xxfi_name = "replace",
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = SMFIF_CHGBODY,
		.xxfi_envfrom = mail,
		.xxfi_envrcpt = recipient,
		.xxfi_header = header,
		.xxfi_eoh = end_of_headers,
		.xxfi_body = body,
		.xxfi_eom = end_of_message,
		.xxfi_close = closed,
	};
	if (argc < 2 || smfi_setconn(argv[1]) != MI_SUCCESS)
		return 64;
	if (smfi_register(filter) != MI_SUCCESS)
		return 69;
	return smfi_main();
}
