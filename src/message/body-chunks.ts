/**
 * Consecutive pieces below this size are joined, because a Buffer takes much more memory than their
 * bytes.
 */
const SMALL = 512;
const GATHERED = 8 * SMALL;

/**
 * The body in the chunks in which it arrived, addressed by offsets into the whole. Only small
 * chunks are copied.
 */
export class BodyChunks {
  readonly #chunks: Buffer[] = [];
  readonly #starts: number[] = [];
  #length = 0;
  /** The buffer that collects small pieces. Its used part is the last chunk. */
  #gathering: Buffer | undefined;

  get length(): number {
    return this.#length;
  }

  append(chunk: Buffer): void {
    if (chunk.length === 0) {
      return;
    }
    if (!this.#gather(chunk)) {
      this.#chunks.push(chunk);
      this.#starts.push(this.#length);
    }
    this.#length += chunk.length;
  }

  /** Appends a small piece to the last chunk, if that consists of small pieces too and has room. */
  #gather(chunk: Buffer): boolean {
    const last = this.#chunks.at(-1);
    const all = (last?.length ?? GATHERED) + chunk.length;
    if (last === undefined || chunk.length >= SMALL || all > GATHERED) {
      this.#gathering = undefined;
      return false;
    }
    if (this.#gathering === undefined) {
      if (last.length >= SMALL) {
        return false;
      }
      this.#gathering = Buffer.allocUnsafeSlow(GATHERED);
      last.copy(this.#gathering);
    }
    chunk.copy(this.#gathering, last.length);
    this.#chunks[this.#chunks.length - 1] = this.#gathering.subarray(0, all);
    return true;
  }

  /** The bytes from start to end in one piece: a view of one chunk, or a copy of several. */
  slice(start: number, end: number): Buffer {
    const views = this.views(start, end);
    return views.length === 1 ? (views[0] as Buffer) : Buffer.concat(views, end - start);
  }

  /** The bytes from start to end as views of the chunks. */
  views(start: number, end: number): Buffer[] {
    const views: Buffer[] = [];
    for (let i = this.#indexOf(start), at = start; at < end; i++) {
      const chunk = this.#chunks[i] as Buffer;
      const offset = at - (this.#starts[i] as number);
      const view = chunk.subarray(offset, offset + end - at);
      views.push(view);
      at += view.length;
    }
    return views;
  }

  /** The index of the chunk that holds an offset. */
  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] as number) <= offset) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }
}
