import { command, protocolFlag } from './protocol.ts';

/** How far a connection has come: what was last taken. */
export const phase = {
  /** Nothing negotiated. */
  start: 0,
  /** Negotiated, or after SMFIC_QUIT_NC: an SMTP session may begin. */
  open: 1,
  /** In an SMTP session, outside a message. */
  session: 2,
  mail: 3,
  rcpt: 4,
  data: 5,
  header: 6,
  endOfHeaders: 7,
  body: 8,
} as const;

const BITS = new Int32Array(256);
for (const letter of Object.values(command)) BITS[letter] = 1 << (letter - 0x41);

/** A command as one bit, letters being near enough to each other; 0 for one that does not exist. */
export function bit(letter: number): number {
  return BITS[letter] ?? 0;
}

function bits(...letters: readonly number[]): number {
  return letters.reduce((set, letter) => set | bit(letter), 0);
}

/** The commands that may follow, by phase; stages that were left out are stepped over. */
export function allowedCommands(protocol: number): readonly number[] {
  const {
    abort,
    body,
    connect,
    data,
    endOfHeaders,
    endOfMessage,
    header,
    helo,
    mail,
    rcpt,
    unknown,
  } = command;
  const afterEnd = bits(body, endOfMessage, abort);
  const afterHeader =
    bits(header, endOfHeaders, abort) |
    ((protocol & protocolFlag.noEndOfHeaders) !== 0 ? afterEnd : 0);
  const afterData =
    bits(header, endOfHeaders, abort) |
    ((protocol & protocolFlag.noHeaders) !== 0 ? afterHeader : 0);
  const afterRcpt = bits(rcpt, data, header, endOfHeaders, body, endOfMessage, abort, unknown);
  const afterMail =
    bits(rcpt, abort, unknown) | ((protocol & protocolFlag.noRcpt) !== 0 ? afterRcpt : 0);
  const session = bits(helo, mail, unknown);
  const open = bits(connect, unknown) | ((protocol & protocolFlag.noConnect) !== 0 ? session : 0);
  return [
    0,
    open,
    session,
    afterMail,
    afterRcpt,
    afterData,
    afterHeader,
    afterEnd,
    bits(body, endOfMessage, abort),
  ];
}
