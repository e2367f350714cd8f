/*
 * A milter on the real libmilter that does what it is told over the wire: the yardstick for our own server.
 * The same behaviour is written in ./obedient-filter.ts, and both get the same bytes.
 *
 *   oracle SOCKET [lean]
 *
 * A text with "answer=WORD" in it (HELO name, address, header value, unknown command, body) is answered with that
 * word; HELO "probe" with 450, so that a test sees that the connection lives. Header fields "X-Do: VERB ARGUMENTS"
 * are modifications, asked for at the end of the message. "lean" negotiates as little as a tracker of links needs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <libmilter/mfapi.h>

#define MAX_ORDERS 64

struct message {
	int count;
	char *orders[MAX_ORDERS];
};

static int lean;
/* Agreed on the latest connection: values go out as they are, so the blank after the colon is ours to send. */
static int verbatim;

static sfsistat answer_to(SMFICTX *ctx, const char *text)
{
	const char *word = text == NULL ? NULL : strstr(text, "answer=");

	if (word == NULL)
		return SMFIS_CONTINUE;
	word += strlen("answer=");
	if (strncmp(word, "accept", 6) == 0)
		return SMFIS_ACCEPT;
	if (strncmp(word, "rejectwith", 10) == 0) {
		smfi_setreply(ctx, "550", "5.7.1", "a hundred %% no");
		return SMFIS_REJECT;
	}
	if (strncmp(word, "deferwith", 9) == 0) {
		smfi_setmlreply(ctx, "451", "4.7.1", "one", "two", NULL);
		return SMFIS_TEMPFAIL;
	}
	if (strncmp(word, "reject", 6) == 0)
		return SMFIS_REJECT;
	if (strncmp(word, "tempfail", 8) == 0)
		return SMFIS_TEMPFAIL;
	if (strncmp(word, "discard", 7) == 0)
		return SMFIS_DISCARD;
	if (strncmp(word, "skip", 4) == 0)
		return SMFIS_SKIP;
	return SMFIS_CONTINUE;
}

static void forget(SMFICTX *ctx)
{
	struct message *message = smfi_getpriv(ctx);

	if (message == NULL)
		return;
	while (message->count > 0)
		free(message->orders[--message->count]);
	free(message);
	smfi_setpriv(ctx, NULL);
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long f0, unsigned long f1, unsigned long f2,
	unsigned long f3, unsigned long *pf0, unsigned long *pf1, unsigned long *pf2, unsigned long *pf3)
{
	unsigned long wanted = SMFIP_SKIP | SMFIP_HDR_LEADSPC;

	(void)f2;
	(void)f3;
	if (lean) {
		wanted |= SMFIP_NR_HDR | SMFIP_NOUNKNOWN;
		smfi_setsymlist(ctx, SMFIM_CONNECT, "{daemon_name} {client_addr}");
		smfi_setsymlist(ctx, SMFIM_EOM, "i");
		smfi_setsymlist(ctx, SMFIM_EOH, "i");
	}
	*pf0 = f0 & (SMFIF_ADDHDRS | SMFIF_CHGBODY | SMFIF_ADDRCPT | SMFIF_DELRCPT | SMFIF_CHGHDRS |
		SMFIF_QUARANTINE | SMFIF_CHGFROM | SMFIF_ADDRCPT_PAR | (lean ? SMFIF_SETSYMLIST : 0));
	*pf1 = f1 & wanted;
	verbatim = (f1 & SMFIP_HDR_LEADSPC) != 0;
	*pf2 = *pf3 = 0;
	return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
	(void)address;
	return answer_to(ctx, host);
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
	if (strcmp(name, "probe") == 0) {
		smfi_setreply(ctx, "450", "4.7.0", "alive");
		return SMFIS_TEMPFAIL;
	}
	return answer_to(ctx, name);
}

static sfsistat on_mail(SMFICTX *ctx, char **argv)
{
	struct message *message;

	forget(ctx);
	message = calloc(1, sizeof *message);
	if (message == NULL)
		return SMFIS_TEMPFAIL;
	smfi_setpriv(ctx, message);
	return answer_to(ctx, argv[0]);
}

static sfsistat on_rcpt(SMFICTX *ctx, char **argv)
{
	return answer_to(ctx, argv[0]);
}

static sfsistat on_data(SMFICTX *ctx)
{
	const char *wish = smfi_getsymval(ctx, "{wish}");

	return answer_to(ctx, wish);
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
	struct message *message = smfi_getpriv(ctx);

	if (strcasecmp(name, "X-Do") == 0 && message != NULL && message->count < MAX_ORDERS) {
		while (*value == ' ')
			value++;
		message->orders[message->count++] = strdup(value);
	}
	return answer_to(ctx, value);
}

static sfsistat on_eoh(SMFICTX *ctx)
{
	return answer_to(ctx, smfi_getsymval(ctx, "{wish_eoh}"));
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *bytes, size_t length)
{
	char text[64];
	size_t shown = length < sizeof text - 1 ? length : sizeof text - 1;

	memcpy(text, bytes, shown);
	text[shown] = '\0';
	return answer_to(ctx, text);
}

/* As a field's value must be given to libmilter. */
static char *spelt(const char *value)
{
	static char text[300];

	snprintf(text, sizeof text, "%s%s", verbatim ? " " : "", value);
	return text;
}

static void obey(SMFICTX *ctx, const char *order)
{
	char verb[32] = "", first[256] = "", second[256] = "";
	int number = 0;

	if (sscanf(order, "addheader %255s %255[^\n]", first, second) == 2)
		smfi_addheader(ctx, first, spelt(second));
	else if (sscanf(order, "insheader %d %255s %255[^\n]", &number, first, second) == 3)
		smfi_insheader(ctx, number, first, spelt(second));
	else if (sscanf(order, "chgheader %d %255s %255[^\n]", &number, first, second) == 3)
		smfi_chgheader(ctx, first, number, spelt(second));
	else if (sscanf(order, "delheader %d %255s", &number, first) == 2)
		smfi_chgheader(ctx, first, number, NULL);
	else if (sscanf(order, "addrcpt %255s %255[^\n]", first, second) == 2)
		smfi_addrcpt_par(ctx, first, second);
	else if (sscanf(order, "addrcpt %255s", first) == 1)
		smfi_addrcpt(ctx, first);
	else if (sscanf(order, "delrcpt %255s", first) == 1)
		smfi_delrcpt(ctx, first);
	else if (sscanf(order, "chgfrom %255s %255[^\n]", first, second) == 2)
		smfi_chgfrom(ctx, first, second);
	else if (sscanf(order, "chgfrom %255s", first) == 1)
		smfi_chgfrom(ctx, first, NULL);
	else if (sscanf(order, "quarantine %255[^\n]", first) == 1)
		smfi_quarantine(ctx, first);
	else if (sscanf(order, "body %d", &number) == 1) {
		char *bytes = malloc(number + 1);

		memset(bytes, 'x', number);
		smfi_replacebody(ctx, (unsigned char *)bytes, number);
		free(bytes);
	} else if (sscanf(order, "%31s", verb) == 1 && strcmp(verb, "progress") == 0)
		smfi_progress(ctx);
}

static sfsistat on_eom(SMFICTX *ctx)
{
	struct message *message = smfi_getpriv(ctx);
	const char *wish = smfi_getsymval(ctx, "{wish_eom}");
	int n;

	for (n = 0; message != NULL && n < message->count; n++)
		obey(ctx, message->orders[n]);
	forget(ctx);
	return answer_to(ctx, wish);
}

static sfsistat on_abort(SMFICTX *ctx)
{
	forget(ctx);
	return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
	forget(ctx);
	return SMFIS_CONTINUE;
}

static sfsistat on_unknown(SMFICTX *ctx, const char *text)
{
	return answer_to(ctx, text);
}

int main(int argc, char **argv)
{
	char socket_name[512];
	struct smfiDesc filter = {
		.xxfi_name = "oracle",
		.xxfi_version = SMFI_VERSION,
		.xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGBODY | SMFIF_ADDRCPT | SMFIF_DELRCPT | SMFIF_CHGHDRS |
			SMFIF_QUARANTINE | SMFIF_CHGFROM | SMFIF_ADDRCPT_PAR | SMFIF_SETSYMLIST,
		.xxfi_connect = on_connect,
		.xxfi_helo = on_helo,
		.xxfi_envfrom = on_mail,
		.xxfi_envrcpt = on_rcpt,
		.xxfi_header = on_header,
		.xxfi_eoh = on_eoh,
		.xxfi_body = on_body,
		.xxfi_eom = on_eom,
		.xxfi_abort = on_abort,
		.xxfi_close = on_close,
		.xxfi_unknown = on_unknown,
		.xxfi_data = on_data,
		.xxfi_negotiate = on_negotiate,
	};

	if (argc < 2)
		return 64;
	lean = argc > 2 && strcmp(argv[2], "lean") == 0;
	snprintf(socket_name, sizeof socket_name, "unix:%s", argv[1]);
	smfi_setconn(socket_name);
	if (smfi_register(filter) == MI_FAILURE || smfi_opensocket(1) == MI_FAILURE)
		return 69;
	return smfi_main() == MI_SUCCESS ? 0 : 70;
}
