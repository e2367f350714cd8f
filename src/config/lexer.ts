import type { Origin } from '../scope/option-value.ts';
import type { Problems } from './problem.ts';

type Punctuation = '=' | '{' | '}' | '[' | ']' | '(' | ')';

export interface Token {
  readonly kind: 'word' | 'string' | Punctuation | 'end';
  /** Without quotes; the character itself for punctuation. */
  readonly text: string;
  readonly origin: Origin;
}

const punctuation = new Set<string>(['=', '{', '}', '[', ']', '(', ')']);
/** The end of an unquoted value: white space or any of `# / " ' = { } [ ] ( )`. */
const wordEnd = /[\s#/"'={}[\]()]/g;

/**
 * Splits the text of one configuration file into tokens; the last one is `end`. Continues after a
 * mistake.
 */
export function tokenize(text: string, file: string, problems: Problems): Token[] {
  return new Lexer(text, file, problems).run();
}

class Lexer {
  readonly #text: string;
  readonly #file: string;
  readonly #problems: Problems;
  readonly #tokens: Token[] = [];
  #at = 0;
  #line = 1;
  #lineStart = 0;

  constructor(text: string, file: string, problems: Problems) {
    this.#text = text.replace(/^\uFEFF/, '');
    this.#file = file;
    this.#problems = problems;
  }

  run(): Token[] {
    while (this.#at < this.#text.length) this.#readOne(this.#text.charAt(this.#at));
    this.#tokens.push({ kind: 'end', text: '', origin: this.#origin() });
    return this.#tokens;
  }

  #readOne(char: string): void {
    if (char === '\n') {
      this.#at += 1;
      this.#newLine();
    } else if (/\s/.test(char)) {
      this.#at += 1;
    } else if (char === '#') {
      this.#at = this.#indexOf('\n');
    } else if (char === '/') {
      this.#readSlash();
    } else if (char === '"' || char === "'") {
      this.#readString(char);
    } else if (punctuation.has(char)) {
      this.#tokens.push({ kind: char as Punctuation, text: char, origin: this.#origin() });
      this.#at += 1;
    } else {
      this.#readWord();
    }
  }

  #readWord(): void {
    wordEnd.lastIndex = this.#at;
    const end = wordEnd.exec(this.#text)?.index ?? this.#text.length;
    const text = this.#text.slice(this.#at, end);
    this.#tokens.push({ kind: 'word', text, origin: this.#origin() });
    this.#at = end;
  }

  #readSlash(): void {
    if (this.#text.startsWith('/*', this.#at)) this.#skipComment();
    else this.#readUnquoted();
  }

  /**
   * Reads a value with an unquoted slash: reports it once and takes the whole word as the value.
   */
  #readUnquoted(): void {
    const before = this.#tokens.at(-1);
    const { file, line, column } = this.#origin();
    const begun =
      before?.kind === 'word' &&
      before.origin.line === line &&
      before.origin.column + before.text.length === column;
    if (begun) this.#tokens.pop();
    const start = begun ? this.#at - before.text.length : this.#at;
    const end = /[\s{}[\]()]/g;
    end.lastIndex = this.#at;
    this.#at = end.exec(this.#text)?.index ?? this.#text.length;
    const text = this.#text.slice(start, this.#at);
    const origin = begun ? before.origin : { file, line, column };
    this.#problems.error(origin, 'a value that contains "/" must be quoted');
    this.#tokens.push({ kind: 'string', text, origin });
  }

  #skipComment(): void {
    const end = this.#text.indexOf('*/', this.#at + 2);
    if (end < 0) this.#problems.error(this.#origin(), 'comment is not closed with "*/"');
    const next = end < 0 ? this.#text.length : end + 2;
    let newLine = this.#text.indexOf('\n', this.#at);
    while (newLine >= 0 && newLine < next) {
      this.#at = newLine + 1;
      this.#newLine();
      newLine = this.#text.indexOf('\n', this.#at);
    }
    this.#at = next;
  }

  /** Reads up to the closing quote on the same line. A backslash escapes a quote or a backslash. */
  #readString(quote: string): void {
    const origin = this.#origin();
    let text = '';
    let at = this.#at + 1;
    for (;;) {
      const char = this.#text.charAt(at);
      if (char === '' || char === '\n') {
        this.#problems.error(origin, `${quote} is not closed on its line`);
        break;
      }
      at += 1;
      if (char === quote) break;
      const next = this.#text.charAt(at);
      if (char === '\\' && (next === '"' || next === "'" || next === '\\')) {
        text += next;
        at += 1;
      } else {
        text += char;
      }
    }
    this.#at = at;
    this.#tokens.push({ kind: 'string', text, origin });
  }

  #indexOf(needle: string): number {
    const index = this.#text.indexOf(needle, this.#at);
    return index < 0 ? this.#text.length : index;
  }

  #newLine(): void {
    this.#line += 1;
    this.#lineStart = this.#at;
  }

  #origin(): Origin {
    return { file: this.#file, line: this.#line, column: this.#at - this.#lineStart + 1 };
  }
}
