import { MAX_DATA, ProtocolError } from './protocol.ts';

/** Bytes of the length at the beginning of a frame. It counts the command and the payload. */
const LENGTH = 4;
/** Chunks queued before they are merged. */
const MAX_CHUNKS = 64;

/** A command or a reply. */
export interface Frame {
  /** The letter of the command or reply. */
  readonly command: number;
  readonly payload: Buffer;
  /** The payload as a byte string, which costs less than the buffer where only text is needed. */
  readonly text: string;
}

/**
 * Cuts the bytes read from a socket into frames. Payloads are views on the bytes read, which are
 * copied only if reads have cut a frame. After `next()` has returned true, the reader itself is the
 * frame, until the next call.
 */
export class FrameReader implements Frame {
  command = 0;
  /** The bytes that hold the frame, and its payload in them. */
  #bytes: Buffer = EMPTY;
  #start = 0;
  #end = 0;

  #chunks: Buffer[] = [];
  /** The offset in the first chunk. */
  #at = 0;
  #pending = 0;
  /** Pending bytes without which there is no further frame. */
  #needed = LENGTH;

  /** Takes bytes of the peer. The buffer must not be changed afterwards. */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#pending += chunk.length;
    // A queue of many small chunks would take much more memory than their bytes.
    if (this.#chunks.length > MAX_CHUNKS) this.#merge();
  }

  get payload(): Buffer {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  get text(): string {
    return this.#bytes.toString('latin1', this.#start, this.#end);
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
  }

  /**
   * Reads the next frame.
   * @returns false if more bytes are needed
   * @throws ProtocolError for a frame that is empty or too long
   */
  next(): boolean {
    while (this.#pending >= this.#needed) {
      const bytes = this.#front(this.#needed);
      const length = bytes.readUInt32BE(this.#at);
      if (length < 1 || length > MAX_DATA + 1) {
        throw new ProtocolError(`milter: frame: length ${length}: expected 1 to ${MAX_DATA + 1}`);
      }
      if (this.#needed === LENGTH) this.#needed += length;
      else {
        this.command = bytes[this.#at + LENGTH] ?? 0;
        this.#bytes = bytes;
        this.#start = this.#at + LENGTH + 1;
        this.#end = this.#at + this.#needed;
        this.#advance(this.#needed);
        this.#pending -= this.#needed;
        this.#needed = LENGTH;
        return true;
      }
    }
    return false;
  }

  /** The chunk that holds the next `count` bytes, which are joined if reads have cut them. */
  #front(count: number): Buffer {
    const first = this.#chunks[0] ?? EMPTY;
    if (first.length - this.#at >= count) return first;
    const joined = Buffer.allocUnsafe(count);
    for (let filled = 0; filled < count; ) {
      const chunk = this.#chunks[0] ?? EMPTY;
      const copied = chunk.copy(joined, filled, this.#at, this.#at + count - filled);
      filled += copied;
      this.#advance(copied);
    }
    // The rest of the last chunk goes behind them.
    const rest = this.#chunks.shift()?.subarray(this.#at);
    this.#chunks.unshift(joined, ...(rest ? [rest] : []));
    this.#at = 0;
    return joined;
  }

  #advance(count: number): void {
    this.#at += count;
    if (this.#at === this.#chunks[0]?.length) {
      this.#chunks.shift();
      this.#at = 0;
    }
  }

  /** Merges all chunks into one. */
  #merge(): void {
    const [first = EMPTY, ...others] = this.#chunks;
    this.#chunks = [Buffer.concat([first.subarray(this.#at), ...others], this.#pending)];
    this.#at = 0;
  }
}

const EMPTY = Buffer.alloc(0);

/** Makes the frame of a command or reply. */
export function frame(command: number, payload: string | Buffer = ''): Buffer {
  const whole = Buffer.allocUnsafe(LENGTH + 1 + payload.length);
  whole.writeUInt32BE(payload.length + 1, 0);
  whole[LENGTH] = command;
  if (typeof payload === 'string') whole.write(payload, LENGTH + 1, 'latin1');
  else payload.copy(whole, LENGTH + 1);
  return whole;
}

/** Makes the beginning of a frame whose payload, of `length` bytes, is written separately. */
export function frameHeader(command: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(LENGTH + 1);
  header.writeUInt32BE(length + 1, 0);
  header[LENGTH] = command;
  return header;
}
