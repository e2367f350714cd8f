import { isIPv4, isIPv6 } from 'node:net';
import type { ConnectInfo, EnvelopeAddress, Header } from './filter.ts';
import { command, ProtocolError, protocolFlag } from './protocol.ts';

/**
 * The commands of an MTA: the order in which they may come, and their payloads. What libmilter
 * refuses throws a ProtocolError.
 */

/** The progress of a connection: the last command that was handled. */
const phase = {
  /** Before negotiation. */
  start: 0,
  /** After negotiation or SMFIC_QUIT_NC: an SMTP session may begin. */
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

/** The phase that each command leads to. The others leave it as it is. */
const PHASE_AFTER = new Map<number, number>([
  [command.negotiate, phase.open],
  [command.quitNewConnection, phase.open],
  [command.connect, phase.session],
  [command.helo, phase.session],
  [command.abort, phase.session],
  [command.mail, phase.mail],
  [command.rcpt, phase.rcpt],
  [command.data, phase.data],
  [command.header, phase.header],
  [command.endOfHeaders, phase.endOfHeaders],
  [command.body, phase.body],
  [command.endOfMessage, phase.body],
]);

/** Every command as one bit of a set: the letters span less than 32. */
const BITS = new Int32Array(256);
for (const letter of Object.values(command)) BITS[letter] = 1 << (letter - 0x41);

function bits(...letters: readonly number[]): number {
  return letters.reduce((set, letter) => set | (BITS[letter] ?? 0), 0);
}

/** The order of the commands on one connection, as libmilter requires it. */
export class CommandOrder {
  #phase: number = phase.start;
  /** The set of commands that may follow, by phase. */
  #allowed: readonly number[] = [];

  /** @param protocol the agreed SMFIP_* flags: stages left out are skipped over */
  agree(protocol: number): void {
    this.#allowed = allowedCommands(protocol);
    this.enter(command.negotiate);
  }

  /**
   * Whether the command may come now.
   * @param inMessage whether the current message goes on
   * @throws ProtocolError if there is no such command
   */
  allows(letter: number, inMessage: boolean): boolean {
    const bit = BITS[letter] ?? 0;
    if (bit === 0) {
      throw new ProtocolError(
        `milter: frame: command ${JSON.stringify(String.fromCharCode(letter))}: expected one of ABCDEHKLMNOQRTU`,
      );
    }
    if (this.#phase > phase.session && !inMessage) this.#phase = phase.session;
    return ((this.#allowed[this.#phase] ?? 0) & bit) !== 0;
  }

  /** Drops the current message. Returns whether the command may begin another one. */
  restart(letter: number): boolean {
    this.#phase = phase.session;
    return this.allows(letter, false);
  }

  /** Records that the command is handled. */
  enter(letter: number): void {
    this.#phase = PHASE_AFTER.get(letter) ?? this.#phase;
  }
}

function allowedCommands(protocol: number): readonly number[] {
  const { abort, body, connect, data, endOfHeaders, endOfMessage } = command;
  const { header, helo, mail, rcpt, unknown } = command;
  const ifAgreed = (flag: number, set: number) => ((protocol & flag) === 0 ? 0 : set);
  const afterEnd = bits(body, endOfMessage, abort);
  const fields = bits(header, endOfHeaders, abort);
  const afterHeader = fields | ifAgreed(protocolFlag.noEndOfHeaders, afterEnd);
  const afterData = fields | ifAgreed(protocolFlag.noHeaders, afterHeader);
  const afterRcpt = bits(rcpt, data, header, endOfHeaders, body, endOfMessage, abort, unknown);
  const afterMail = bits(rcpt, abort, unknown) | ifAgreed(protocolFlag.noRcpt, afterRcpt);
  const session = bits(helo, mail, unknown);
  const open = bits(connect, unknown) | ifAgreed(protocolFlag.noConnect, session);
  return [0, open, session, afterMail, afterRcpt, afterData, afterHeader, afterEnd, afterEnd];
}

/** Decodes SMFIC_CONNECT: host NUL family [port address NUL]. */
export function decodeConnect(payload: string): ConnectInfo {
  const end = payload.indexOf('\0');
  if (end < 0 || end + 1 >= payload.length) {
    throw new ProtocolError('milter: connect: no family: expected host, NUL, family');
  }
  const hostname = payload.slice(0, end);
  const letter = payload.charAt(end + 1);
  if (letter === 'U') return { hostname, family: 'unknown' };
  const family = FAMILIES[letter];
  if (family === undefined) {
    throw new ProtocolError(
      `milter: connect: family ${JSON.stringify(letter)}: expected 4, 6, L or U`,
    );
  }
  const at = end + 4;
  if (at >= payload.length || !payload.endsWith('\0')) {
    throw new ProtocolError('milter: connect: expected port, address, NUL after the family');
  }
  const port = payload.charCodeAt(end + 2) * 256 + payload.charCodeAt(end + 3);
  const text = payload.slice(at, payload.indexOf('\0', at));
  // After XCLIENT ADDR=[UNAVAILABLE] Postfix sends no address, but still says family 4.
  if (text === 'unknown' && family !== 'unix') return { hostname, family: 'unknown' };
  const address = family === 'inet6' ? text.replace(/^IPv6:/i, '') : text;
  if ((family === 'inet' && !isIPv4(address)) || (family === 'inet6' && !isIPv6(address))) {
    throw new ProtocolError(
      `milter: connect: address ${JSON.stringify(text)}: expected one of family ${letter}`,
    );
  }
  return { hostname, family, address, port };
}

const FAMILIES: Readonly<Record<string, 'inet' | 'inet6' | 'unix'>> = {
  4: 'inet',
  6: 'inet6',
  L: 'unix',
};

/** Decodes SMFIC_HELO and SMFIC_UNKNOWN: text NUL. */
export function decodeText(payload: string, place: string): string {
  const end = payload.indexOf('\0');
  if (end < 0) throw new ProtocolError(`milter: ${place}: expected a text that ends with NUL`);
  return payload.slice(0, end);
}

const NO_ARGS: readonly string[] = [];

/**
 * Decodes SMFIC_MAIL and SMFIC_RCPT: address NUL, then arguments, each with NUL. Bytes after the
 * last NUL are ignored.
 */
export function decodeEnvelope(payload: string, place: string): EnvelopeAddress {
  const end = payload.indexOf('\0');
  if (end < 0) throw new ProtocolError(`milter: ${place}: expected address, NUL`);
  const address = payload.slice(0, end);
  const args = payload.slice(end + 1);
  return {
    // Postfix sends the addresses of local submission without angle brackets.
    address: address.startsWith('<') && address.endsWith('>') ? address.slice(1, -1) : address,
    args: args === '' ? NO_ARGS : args.split('\0').slice(0, -1),
  };
}

/**
 * Decodes SMFIC_HEADER: name NUL value NUL.
 * @param verbatim whether SMFIP_HDR_LEADSPC was agreed
 */
export function decodeHeader(payload: string, verbatim: boolean): Header {
  const end = payload.indexOf('\0');
  if (end < 1 || end === payload.length - 1 || !payload.endsWith('\0')) {
    throw new ProtocolError('milter: header: expected name, NUL, value, NUL');
  }
  const name = payload.slice(0, end);
  const sent = payload.slice(end + 1, -1);
  if (!verbatim) return { name, value: sent, raw: ` ${sent}` };
  return { name, value: sent.startsWith(' ') ? sent.slice(1) : sent, raw: sent };
}
