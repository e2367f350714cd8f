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
  /** The part as it is encoded, with the edits made; what did not change are views of the original. */
  readonly raw: readonly Buffer[];
  /** The edits that could not be made. */
  readonly refused: ReadonlyMap<Edit, Refusal>;
}

export type Refusal = 'line-too-long' | 'malformed-encoding';
