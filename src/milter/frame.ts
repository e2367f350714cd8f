import { command as known, MAX_DATA } from './protocol.ts';
import { ProtocolError } from './protocol-error.ts';

/** Length and command byte. */
const HEADER = 5;
/** Reads kept apart while nobody asks for them. */
const MAX_CHUNKS = 64;

/**
 * Cuts the bytes read from a socket into frames, without copying: payloads are views on what was read. The data of SMFIC_BODY comes
 * in pieces where reads cut it; any other frame that a read cuts is put together, which never takes
 * more than one frame's memory.
 *
 * After `next()` has said true the fields hold the frame, until the next call.
 */
export class FrameReader {
  command = 0;
  payload: Buffer = EMPTY;
  /** Whether this is the first, and the last piece of its frame. */
  first = true;
  last = true;

  #chunks: Buffer[] = [];
  /** Where in the first chunk. */
  #at = 0;
  #pending = 0;
  /** Of the current frame: payload bytes still to come. */
  #left = 0;
  #inFrame = false;
  /** Whether no piece of the current frame has been given out. */
  #untouched = true;
  #header = Buffer.alloc(HEADER);
  #headerFilled = 0;
  #joined: Buffer | undefined;

  /** The peer's bytes; the buffer now belongs to the frames. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#pending += chunk.length;
    this.#chunks.push(chunk);
    // Small reads must not cost more than their bytes, however long they have to wait.
    if (this.#chunks.length > MAX_CHUNKS) {
      this.#chunks = [Buffer.concat(this.#chunks).subarray(this.#at)];
      this.#at = 0;
    }
  }

  /** Bytes pushed and not yet asked for. */
  get pending(): number {
    return this.#pending;
  }

  /** Drops what is pending, e.g. because nobody waits for the answers any more. */
  clear(): void {
    this.#chunks = [];
    this.#at = 0;
    this.#pending = 0;
    this.#joined = undefined;
  }

  /** Reads on to the next frame, or piece of a body. False: more bytes are needed. Throws a ProtocolError. */
  next(): boolean {
    if (!this.#inFrame && !this.#readHeader()) return false;
    return this.command === known.body ? this.#nextPiece() : this.#nextWhole();
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

  /** Up to that many bytes of the current frame, out of one chunk. */
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

/** A frame of that command or reply; the length counts the command byte. */
export function frame(command: number, payload: string | Buffer = ''): Buffer {
  const length = payload.length;
  const whole = Buffer.allocUnsafe(HEADER + length);
  whole.writeUInt32BE(length + 1, 0);
  whole[4] = command;
  if (typeof payload === 'string') whole.write(payload, HEADER, 'latin1');
  else payload.copy(whole, HEADER);
  return whole;
}

/** What goes before `length` bytes of payload written separately. */
export function frameHeader(command: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(HEADER);
  header.writeUInt32BE(length + 1, 0);
  header[4] = command;
  return header;
}
