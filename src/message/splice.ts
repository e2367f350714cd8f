/** What is to stand in the place of the decoded bytes from start to end (at least one byte). */
export interface Edit {
  readonly start: number;
  readonly end: number;
  /** One latin1 character a byte. */
  readonly bytes: string;
}

/** The content of a part behind its Content-Transfer-Encoding. */
export interface Content {
  /** The decoded bytes, one latin1 character each: offsets in the string are offsets in the bytes. */
  readonly bytes: string;
  /** 7bit, 8bit, binary: lines of the content are lines of the message. */
  readonly isLiteral: boolean;
  /** Makes edits, which come in order and do not overlap. */
  splice(edits: readonly Edit[]): Spliced;
}

export interface Spliced {
  /** The part as it is encoded, with the edits made. */
  readonly raw: Buffer;
  /** The edits that could not be made. */
  readonly refused: ReadonlyMap<Edit, Refusal>;
}

export type Refusal = 'line-too-long' | 'malformed-encoding';

/** Text, one latin1 character a byte, that is to stand in the place of raw bytes. */
export interface RawPatch {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * The raw bytes with the patches, which come in order and do not overlap. Joined as strings: for the many short pieces
 * of a part, that costs less than copying bytes.
 */
export function patched(raw: Buffer, patches: readonly RawPatch[]): Buffer {
  const original = raw.toString('latin1');
  const pieces: string[] = [];
  let copied = 0;
  for (const { start, end, text } of patches) {
    pieces.push(original.slice(copied, start), text);
    copied = end;
  }
  pieces.push(original.slice(copied));
  return Buffer.from(pieces.join(''), 'latin1');
}
