/** Files that cannot be read for now: each is named once, and once more when it could be read in between. */
export class UnreadableFiles {
  readonly #named = new Set<string>();
  readonly #onProblem: (message: string) => void;

  constructor(onProblem: (message: string) => void = () => {}) {
    this.#onProblem = onProblem;
  }

  failed(path: string, error: unknown): void {
    if (this.#named.has(path)) return;
    this.#named.add(path);
    this.#onProblem(`${path} is left out until it can be read: ${(error as Error).message}`);
  }

  read(path: string): void {
    this.#named.delete(path);
  }
}
