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

/** The raw bytes with the patches, which come in order and do not overlap. */
export function patched(raw: Buffer, patches: readonly RawPatch[]): Buffer {
  let length = raw.length;
  for (const { start, end, text } of patches) {
    length += text.length - (end - start);
  }
  const result = Buffer.allocUnsafe(length);
  let copied = 0;
  let to = 0;
  for (const { start, end, text } of patches) {
    to += raw.copy(result, to, copied, start);
    to += result.write(text, to, 'latin1');
    copied = end;
  }
  raw.copy(result, to, copied);
  return result;
}
