/** An earlier bar would only flicker. */
const PATIENCE_MS = 2000;
const WIDTH = 30;

/** A progress bar on standard error. It appears only on a terminal, and only after two seconds. */
export class Progress {
  readonly #label: string;
  readonly #total: number;
  readonly #stream: NodeJS.WriteStream;
  readonly #start = performance.now();
  #drawn = '';

  /** @param total the amount of work, in the unit of `update` */
  constructor(label: string, total: number, stream: NodeJS.WriteStream = process.stderr) {
    this.#label = label;
    this.#total = total;
    this.#stream = stream;
  }

  update(done: number): void {
    if (!this.#stream.isTTY || performance.now() - this.#start < PATIENCE_MS) return;
    const share = this.#total === 0 ? 1 : Math.min(1, done / this.#total);
    const bar = '#'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '.');
    const line = `${this.#label} [${bar}] ${Math.floor(share * 100)} %`;
    if (line === this.#drawn) return;
    this.#drawn = line;
    this.#stream.write(`\r${line}`);
  }

  /** Removes the bar. */
  end(): void {
    if (this.#drawn !== '') this.#stream.write(`\r${' '.repeat(this.#drawn.length)}\r`);
  }
}
