/** One result of one examination. */
export interface Finding {
  readonly level: 'ok' | 'warning' | 'error';
  /** What was examined: `redis`, `postfix`, `https://click.example.com` … */
  readonly subject: string;
  /** The fact and, unless it is as it should be, what to do about it. */
  readonly message: string;
}

/** Findings about one subject. */
export class Findings {
  readonly list: Finding[] = [];
  readonly #subject: string;

  constructor(subject: string) {
    this.#subject = subject;
  }

  ok(message: string): void {
    this.#add('ok', message);
  }

  warning(message: string): void {
    this.#add('warning', message);
  }

  error(message: string): void {
    this.#add('error', message);
  }

  #add(level: Finding['level'], message: string): void {
    this.list.push({ level, subject: this.#subject, message });
  }
}
