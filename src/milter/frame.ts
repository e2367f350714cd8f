import { command as commands, MAX_DATA, ProtocolError } from './protocol.ts';

/** Bytes before the payload: the length and the command. */
const HEADER = 5;
/** Chunks queued before they are merged. */
const MAX_CHUNKS = 64;

/** A frame, or a piece of a frame of SMFIC_BODY. */
export interface Frame {
  /** The letter of the command or reply. */
  readonly command: number;
  readonly payload: Buffer;
  /** Whether this is the first piece of its frame. */
  readonly first: boolean;
  /** Whether this is the last piece of its frame. */
  readonly last: boolean;
}

/**
 * Cuts the bytes read from a socket into frames. Payloads are views on the bytes read and are not
 * copied. The payload of SMFIC_BODY arrives in pieces, as the reads cut it. Any other frame that
 * reads cut is joined, which takes at most the memory of one frame.
 *
 * After `next()` has returned true, the reader itself is the frame, until the next call.
 */
export class FrameReader implements Frame {
  command = 0;
  payload: Buffer = EMPTY;
  first = true;
  last = true;

  #chunks: Buffer[] = [];
  /** The offset in the first chunk. */
  #at = 0;
  #pending = 0;
  /** Payload bytes of the current frame that are still missing. */
  #left = 0;
  #inFrame = false;
  /** Whether no piece of the current frame has been returned yet. */
  #untouched = true;
  #header = Buffer.alloc(HEADER);
  #headerFilled = 0;
  #joined: Buffer | undefined;

  /** Takes bytes of the peer. The buffer must not be changed afterwards. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#pending += chunk.length;
    this.#chunks.push(chunk);
    // A queue of many small chunks would take much more memory than their bytes.
    if (this.#chunks.length > MAX_CHUNKS) {
      this.#chunks = [Buffer.concat(this.#chunks).subarray(this.#at)];
      this.#at = 0;
    }
  }

  /** Bytes that were pushed and not read yet. */
  get pending(): number {
    return this.#pending;
  }

  /** Drops all pending bytes. */
  clear(): void {
    this.#chunks = [];
    this.#at = 0;
    this.#pending = 0;
    this.#joined = undefined;
  }

  /**
   * Reads the next frame, or the next piece of a body.
   * @returns false if more bytes are needed
   * @throws ProtocolError for a frame that is empty or too long
   */
  next(): boolean {
    if (!this.#inFrame && !this.#readHeader()) return false;
    return this.command === commands.body ? this.#nextPiece() : this.#nextWhole();
  }

  #readHeader(): boolean {
    const chunk = this.#chunks[0];
    if (chunk === undefined) return false;
    if (this.#headerFilled === 0 && chunk.length - this.#at >= HEADER) {
      this.#begin(chunk, this.#at);
      this.#advance(HEADER);
      return true;
    }
    while (this.#headerFilled < HEADER) {
      const part = this.#chunks[0];
      if (part === undefined) return false;
      const taken = Math.min(HEADER - this.#headerFilled, part.length - this.#at);
      part.copy(this.#header, this.#headerFilled, this.#at, this.#at + taken);
      this.#headerFilled += taken;
      this.#advance(taken);
      if (this.#headerFilled >= 4) checkLength(this.#header.readUInt32BE(0));
    }
    this.#headerFilled = 0;
    this.#begin(this.#header, 0);
    return true;
  }

  #begin(header: Buffer, at: number): void {
    const length = header.readUInt32BE(at);
    checkLength(length);
    this.#left = length - 1;
    this.command = header[at + 4] ?? 0;
    this.#inFrame = true;
    this.#untouched = true;
  }

  #nextPiece(): boolean {
    if (this.#left > 0 && this.#chunks.length === 0) return false;
    this.payload = this.#take(this.#left);
    this.first = this.#untouched;
    this.last = this.#left === 0;
    this.#inFrame = !this.last;
    this.#untouched = false;
    return true;
  }

  #nextWhole(): boolean {
    this.first = true;
    this.last = true;
    if (this.#joined === undefined) {
      const chunk = this.#chunks[0];
      if (this.#left === 0 || (chunk !== undefined && chunk.length - this.#at >= this.#left)) {
        this.payload = this.#take(this.#left);
        this.#inFrame = false;
        return true;
      }
      this.#joined = Buffer.allocUnsafe(this.#left);
    }
    const joined = this.#joined;
    while (this.#left > 0) {
      if (this.#chunks.length === 0) return false;
      const filled = joined.length - this.#left;
      this.#take(this.#left).copy(joined, filled);
    }
    this.payload = joined;
    this.#joined = undefined;
    this.#inFrame = false;
    return true;
  }

  /** Takes up to `most` bytes of the current frame, from one chunk. */
  #take(most: number): Buffer {
    const chunk = this.#chunks[0];
    if (chunk === undefined || most === 0) return EMPTY;
    const piece = chunk.subarray(this.#at, this.#at + most);
    this.#left -= piece.length;
    this.#advance(piece.length);
    return piece;
  }

  #advance(bytes: number): void {
    this.#pending -= bytes;
    this.#at += bytes;
    if (this.#at === this.#chunks[0]?.length) {
      this.#chunks.shift();
      this.#at = 0;
    }
  }
}

const EMPTY = Buffer.alloc(0);

function checkLength(length: number): void {
  if (length < 1 || length > MAX_DATA + 1) {
    throw new ProtocolError(`milter: frame: length ${length}: expected 1 to ${MAX_DATA + 1}`);
  }
}

/** Makes the frame of a command or reply. Its length counts the command byte. */
export function frame(command: number, payload: string | Buffer = ''): Buffer {
  const length = payload.length;
  const whole = Buffer.allocUnsafe(HEADER + length);
  whole.writeUInt32BE(length + 1, 0);
  whole[4] = command;
  if (typeof payload === 'string') whole.write(payload, HEADER, 'latin1');
  else payload.copy(whole, HEADER);
  return whole;
}

/** Makes the beginning of a frame whose payload, of `length` bytes, is written separately. */
export function frameHeader(command: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(HEADER);
  header.writeUInt32BE(length + 1, 0);
  header[4] = command;
  return header;
}
