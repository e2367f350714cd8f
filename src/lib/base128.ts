/**
 * A non-negative integer in 7 bits per byte, lowest first; the high bit says that another byte
 * follows.
 */
export function base128(value: number): Buffer {
  const bytes = Buffer.alloc(MAX_BYTES);
  return bytes.subarray(0, writeBase128(value, bytes, 0));
}

/** @returns the offset behind the number */
export function writeBase128(value: number, into: Buffer, offset: number): number {
  let at = offset;
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) into[at++] = (rest % 128) | 0x80;
  into[at++] = rest;
  return at;
}

/** The number of bytes of a number. */
export function bytesOfBase128(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** Bytes of the longest number that is safe. */
const MAX_BYTES = 8;

/**
 * Takes a number only as `base128` writes it: with zeros behind it, a link would have more tokens
 * than the blocked one.
 * @returns undefined also where the bytes end before the number does, or where it has more than 32
 * bits
 */
export function readBase128(
  bytes: Buffer,
  start: number,
): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let i = 0; i < 5; i++) {
    const byte = bytes[start + i];
    if (byte === undefined) return undefined;
    if (byte === 0 && i > 0) return undefined;
    value += (byte & 0x7f) * 128 ** i;
    if (byte < 0x80) return value < 2 ** 32 ? { value, end: start + i + 1 } : undefined;
  }
  return undefined;
}
