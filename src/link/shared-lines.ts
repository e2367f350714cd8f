import { hash } from 'node:crypto';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';

/**
 * Lines of records that many messages have in common: what makes up a newsletter but for its few personal links. They
 * are kept once, under an id, and each message's record is deflated against them.
 */
export interface SharedLines {
  /** The first nine bytes of the text's SHA-256, so that all who find the same lines keep them once. */
  readonly id: Buffer;
  /** The lines, each with its LF. */
  readonly text: Buffer;
}

const ID_BYTES = 9;
const FORMAT = 1;
/** What deflate can look back to, less what the preset dictionary and the record itself need. */
export const MAX_SHARED_BYTES = 24 * 1024;

export function sharedLines(text: string): SharedLines {
  return { id: idOf(text), text: Buffer.from(text) };
}

/** As they are kept: a byte with the version of the format, then deflated. */
export function encodeSharedLines({ text }: SharedLines): Buffer {
  return Buffer.concat([
    Buffer.of(FORMAT),
    deflateRawSync(text, { level: constants.Z_BEST_COMPRESSION }),
  ]);
}

/** @throws Error for a value that holds no lines, or not those of the id */
export function decodeSharedLines(value: Buffer, id: Buffer): SharedLines {
  if (value[0] !== FORMAT) throw new Error(`shared links of format ${value[0] ?? 'none'}`);
  const text = inflateRawSync(value.subarray(1), { maxOutputLength: MAX_SHARED_BYTES });
  if (!idOf(text.toString()).equals(id)) throw new Error('shared links are not what they were');
  return { id, text };
}

function idOf(text: string): Buffer {
  return hash('sha256', text, 'buffer').subarray(0, ID_BYTES);
}
