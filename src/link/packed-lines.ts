/*
 * The lines of links, see `linkLines`, where each line leaves out the characters that its target
 * shares with a target before it. The targets of a newsletter begin alike, and so do their queries:
 *
 *     the letter of the line
 *     a digit: how many characters the path (the target up to its `?`) shares with the path of the
 *         line before
 *     the other characters of the path
 *     where the target has a query: `?`, a digit for the characters that it shares with the last
 *         query before, and the others
 *     the rest of the line
 *
 * To compare bytes costs a fifth of deflating them.
 */

/** The first digit. A digit is one printable character. */
const ZERO = 0x21;
const MAX_DIGIT = 0x7e - ZERO;

const TAB = 0x09;
const LF = 0x0a;
const QUESTION = 0x3f;

/**
 * Packing is synchronous, so all messages share this memory, but for those with very many links.
 */
const SHARED = Buffer.allocUnsafeSlow(256 * 1024);

/**
 * @param lines made by `linkLines`
 * @returns bytes that are valid until the next call
 */
export function packLines(lines: string): Buffer {
  // At most two digits are added to a line, which has two characters or more.
  const room = 3 * lines.length;
  const memory = 3 * room <= SHARED.length ? SHARED : Buffer.allocUnsafeSlow(3 * room);
  const end = memory.write(lines);
  const packed = memory.subarray(room);
  let at = 0;
  let to = 0;
  let path = 0;
  let pathEnd = 0;
  let query = 0;
  let queryEnd = 0;
  while (at < end) {
    packed[to++] = memory[at++] as number;
    let shared = sharedAt(memory, at, path, pathEnd);
    path = at;
    packed[to++] = ZERO + shared;
    at += shared;
    let byte = memory[at] as number;
    while (byte !== QUESTION && byte !== TAB && byte !== LF) {
      packed[to++] = byte;
      byte = memory[++at] as number;
    }
    pathEnd = at;
    if (byte === QUESTION) {
      packed[to++] = QUESTION;
      shared = sharedAt(memory, ++at, query, queryEnd);
      query = at;
      packed[to++] = ZERO + shared;
      at += shared;
      byte = memory[at] as number;
      while (byte !== TAB && byte !== LF) {
        packed[to++] = byte;
        byte = memory[++at] as number;
      }
      queryEnd = at;
    }
    while (byte !== LF) {
      packed[to++] = byte;
      byte = memory[++at] as number;
    }
    packed[to++] = LF;
    at++;
  }
  return packed.subarray(0, to);
}

/** How many characters from an offset on are those from `other` to `otherEnd`. */
function sharedAt(bytes: Buffer, at: number, other: number, otherEnd: number): number {
  const most = Math.min(otherEnd - other, MAX_DIGIT);
  let shared = 0;
  while (shared < most) {
    const byte = bytes[at + shared] as number;
    // Beyond ASCII, a byte is not a character.
    if (byte !== bytes[other + shared] || byte >= 0x80) break;
    shared++;
  }
  return shared;
}

/**
 * Gives the lines of `linkLines`.
 * @param most how many there may be, and their characters
 * @throws Error for a text that `packLines` did not make
 */
export function unpackLines(
  packed: string,
  most: { readonly lines: number; readonly length: number },
): string {
  const lines: string[] = [];
  let length = 0;
  let path = '';
  let query = '';
  let start = 0;
  // Each is searched once, not from every line: few lines have one, and a search would go on to the
  // end of the text.
  let tab = placeIn(packed, '\t', 0);
  let mark = placeIn(packed, '?', 2);
  for (let end = packed.indexOf('\n'); end !== -1; end = packed.indexOf('\n', start)) {
    if (tab < start) tab = placeIn(packed, '\t', start);
    if (mark < start + 2) mark = placeIn(packed, '?', start + 2);
    const targetEnd = Math.min(tab, end);
    const pathEnd = Math.min(mark, targetEnd);
    path = startOf(path, packed.charCodeAt(start + 1)) + packed.slice(start + 2, pathEnd);
    let line = packed.charAt(start) + path;
    if (pathEnd < targetEnd) {
      query = startOf(query, packed.charCodeAt(mark + 1)) + packed.slice(mark + 2, targetEnd);
      line += `?${query}`;
    }
    line += packed.slice(targetEnd, end + 1);
    length += line.length;
    if (length > most.length) throw new Error('the links of the record are too long');
    if (lines.push(line) > most.lines) throw new Error('the record has too many links');
    start = end + 1;
  }
  if (start < packed.length) throw new Error('a line of the record is not complete');
  return lines.join('');
}

/** Where a character is, from an offset on; infinitely far where there is none. */
function placeIn(text: string, character: string, from: number): number {
  const at = text.indexOf(character, from);
  return at === -1 ? Number.POSITIVE_INFINITY : at;
}

function startOf(text: string, digit: number): string {
  const shared = digit - ZERO;
  if (!(shared >= 0 && shared <= Math.min(text.length, MAX_DIGIT))) {
    throw new Error('a link of the record shares more than the link before has');
  }
  return text.slice(0, shared);
}
