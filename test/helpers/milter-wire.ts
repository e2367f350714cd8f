/**
 * The milter protocol written down a second time, straight from its description and by nobody's library, so that
 * the library under test is not tested with itself. Texts are latin1: one character a byte.
 */

/** One packet: length, letter, data. */
export function packet(letter: string, data: string | Buffer = ''): Buffer {
  const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data;
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length + 1);
  head.write(letter, 4, 'latin1');
  return Buffer.concat([head, bytes]);
}

export function u32(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes.toString('latin1');
}

export function u16(value: number): string {
  return String.fromCharCode(value >> 8, value & 0xff);
}

/** SMFIC_OPTNEG; what both MTAs offer by default. */
export function optneg(version = 6, actions = 0x1ff, protocol = 0x1fffff): Buffer {
  return packet('O', u32(version) + u32(actions) + u32(protocol));
}

/** SMFIC_CONNECT over IPv4. */
export function connect(host = 'client.test', address = '192.0.2.1', port = 4711): Buffer {
  return packet('C', `${host}\x004${u16(port)}${address}\0`);
}

/** SMFIC_MACRO for the command `stage`. */
export function macros(stage: string, pairs: Readonly<Record<string, string>>): Buffer {
  const text = Object.entries(pairs).map(([name, value]) => `${name}\0${value}\0`);
  return packet('D', stage + text.join(''));
}

export const helo = (name = 'client.test') => packet('H', `${name}\0`);
export const mail = (address = '<a@sender.test>', ...args: string[]) =>
  packet('M', [address, ...args].map((text) => `${text}\0`).join(''));
export const rcpt = (address = '<b@example.net>', ...args: string[]) =>
  packet('R', [address, ...args].map((text) => `${text}\0`).join(''));
export const data = () => packet('T');
export const header = (name: string, value: string) => packet('L', `${name}\0${value}\0`);
export const eoh = () => packet('N');
export const body = (bytes: string | Buffer) => packet('B', bytes);
export const eob = (bytes: string | Buffer = '') => packet('E', bytes);
export const abort = () => packet('A');
export const quit = () => packet('Q');
export const quitNewConnection = () => packet('K');
export const unknown = (text: string) => packet('U', `${text}\0`);

export interface Packet {
  readonly letter: string;
  readonly data: Buffer;
}

/** Takes a stream of packets apart; `rest` is what does not make a whole one. */
export function packets(stream: Buffer): { packets: Packet[]; rest: Buffer } {
  const found: Packet[] = [];
  let at = 0;
  while (stream.length - at >= 5) {
    const length = stream.readUInt32BE(at);
    if (length === 0 || stream.length - at < 4 + length) break;
    found.push({
      letter: stream.toString('latin1', at + 4, at + 5),
      data: stream.subarray(at + 5, at + 4 + length),
    });
    at += 4 + length;
  }
  return { packets: found, rest: stream.subarray(at) };
}

/** A packet as a line of a table: the letter, numbers as numbers, texts with NUL as `|`, long data by length. */
export function show({ letter, data: bytes }: Packet): string {
  const text = (from: number) => bytes.toString('latin1', from).replaceAll('\0', '|');
  switch (letter) {
    case 'O': {
      const numbers = [0, 4, 8].map((at) => bytes.readUInt32BE(at).toString(16));
      return ['O', ...numbers, showSymbols(bytes.subarray(12))].join(' ').trimEnd();
    }
    case 'i':
    case 'm':
      return `${letter} ${bytes.readUInt32BE(0)} ${text(4)}`;
    case 'b':
      return bytes.length > 60 ? `b (${bytes.length} bytes)` : `b ${text(0)}`;
    default:
      return `${letter} ${text(0)}`.trimEnd();
  }
}

/** The macro request at the end of a reply to SMFIC_OPTNEG. */
function showSymbols(bytes: Buffer): string {
  const lists: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0, at + 4);
    lists.push(`${bytes.readUInt32BE(at)}=${bytes.toString('latin1', at + 4, end)}`);
    at = end + 1;
  }
  return lists.join(';');
}
