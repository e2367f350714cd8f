/**
 * Finds start tags, attributes and comments where the tokenizer of the HTML standard (WHATWG HTML §13.2.5)
 * finds them. Every offset is one into the string given.
 */
import { NameSet } from './name-set.ts';
import { endOfRawText, RAW_TEXT } from './raw-text.ts';

export interface Attribute {
  /** Lower case. */
  readonly name: string;
  readonly start: number;
  /** Behind the value and its quote. */
  readonly end: number;
  /** The value without quotes; both at `end` where there is none. */
  readonly valueStart: number;
  readonly valueEnd: number;
  readonly quoted: boolean;
}

export interface Tag {
  /** Lower case. */
  readonly name: string;
  readonly start: number;
  /** Behind the `>`. */
  readonly end: number;
  /** Those whose names are wanted, as written: of two with the same name the first counts. */
  readonly attributes: readonly Attribute[];
}

export interface HtmlSink {
  /** Is told of the tags whose names are wanted, in the order of the document. */
  tag(tag: Tag): void;
  comment?(start: number, end: number): void;
}

const TAB = 0x09;
const LF = 0x0a;
const FF = 0x0c;
const CR = 0x0d;
const SPACE = 0x20;
const BANG = 0x21;
const DOUBLE_QUOTE = 0x22;
const SINGLE_QUOTE = 0x27;
const SLASH = 0x2f;
const COLON = 0x3a;
const EQUALS = 0x3d;
const GREATER = 0x3e;
const QUESTION = 0x3f;

/** A scanner for documents that reports the tags with the names given. */
export class HtmlScanner {
  readonly #names: NameSet;
  readonly #attributes: NameSet;
  readonly #wanted: ReadonlySet<string>;
  readonly #wantsNamespaced: boolean;

  /**
   * @param wanted names of elements in lower case; `v:*` wants every element of that prefix
   * @param attributes the attributes of theirs that are wanted
   */
  constructor(wanted: readonly string[], attributes: NameSet) {
    this.#attributes = attributes;
    this.#wanted = new Set(wanted);
    this.#wantsNamespaced = this.#wanted.has('v:*');
    this.#names = new NameSet([...wanted, ...RAW_TEXT]);
  }

  scan(html: string, sink: HtmlSink): void {
    let at = html.indexOf('<');
    while (at !== -1) {
      const next = this.#markup(html, at, sink);
      if (next === -1) {
        return;
      }
      at = html.indexOf('<', next);
    }
  }

  /** What a `<` begins; the offset behind it, or -1 where the document ends before it does. */
  #markup(html: string, at: number, sink: HtmlSink): number {
    const first = html.charCodeAt(at + 1);
    if (isLetter(first)) {
      return this.#startTag(html, at, sink);
    }
    if (first === SLASH) {
      const letter = html.charCodeAt(at + 2);
      if (isLetter(letter)) {
        return endOfTag(html, endOfName(html, at + 2));
      }
      return letter === GREATER ? at + 3 : behind(html, '>', at + 2);
    }
    if (first === BANG) {
      if (!html.startsWith('--', at + 2)) {
        return behind(html, '>', at + 2); // doctype, CDATA outside of SVG, <![if …]>
      }
      const end = endOfComment(html, at);
      if (end !== -1) {
        sink.comment?.(at, end);
      }
      return end;
    }
    return first === QUESTION ? behind(html, '>', at + 2) : at + 1;
  }

  #startTag(html: string, at: number, sink: HtmlSink): number {
    const nameEnd = endOfName(html, at + 1);
    const name = this.#names.find(html, at + 1, nameEnd) ?? this.#namespaced(html, at, nameEnd);
    if (name === undefined) {
      return endOfTag(html, nameEnd);
    }
    const attributes: Attribute[] = [];
    const end = endOfTag(html, nameEnd, attributes, this.#attributes);
    if (end === -1) {
      return -1;
    }
    if (this.#wanted.has(name) || name.startsWith('v:')) {
      sink.tag({ name, start: at, end, attributes });
    }
    return RAW_TEXT.has(name) ? endOfRawText(html, name, end) : end;
  }

  #namespaced(html: string, at: number, nameEnd: number): string | undefined {
    return this.#wantsNamespaced &&
      html.charCodeAt(at + 2) === COLON &&
      (html.charCodeAt(at + 1) | 0x20) === 0x76
      ? html.slice(at + 1, nameEnd).toLowerCase()
      : undefined;
  }
}

/** The start tag at an offset, with those of its attributes that are wanted. */
export function tagAt(html: string, offset: number, wanted: NameSet): Tag | undefined {
  const nameEnd = endOfName(html, offset + 1);
  const attributes: Attribute[] = [];
  const end = endOfTag(html, nameEnd, attributes, wanted);
  const name = html.slice(offset + 1, nameEnd).toLowerCase();
  return end === -1 ? undefined : { name, start: offset, end, attributes };
}

function isLetter(code: number): boolean {
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

function isSpace(code: number): boolean {
  return code === SPACE || code === LF || code === CR || code === TAB || code === FF;
}

function endOfName(html: string, start: number): number {
  let at = start;
  let code = html.charCodeAt(at);
  while (
    code > GREATER ||
    (code !== GREATER && code !== SLASH && !isSpace(code) && at < html.length)
  ) {
    code = html.charCodeAt(++at);
  }
  return at;
}

/**
 * From behind a tag's name to behind its `>`, or -1 where the document ends before.
 *
 * @param into where the attributes that are wanted go
 */
function endOfTag(html: string, from: number, into?: Attribute[], wanted?: NameSet): number {
  const length = html.length;
  let at = from;
  for (;;) {
    let code = html.charCodeAt(at);
    while (isSpace(code) || code === SLASH) {
      code = html.charCodeAt(++at);
    }
    if (code === GREATER) {
      return at + 1;
    }
    if (at >= length) {
      return -1;
    }
    const start = at;
    // A `=` in the first place belongs to the name.
    do {
      code = html.charCodeAt(++at);
    } while (
      code > GREATER ||
      (code !== EQUALS && code !== GREATER && code !== SLASH && !isSpace(code) && at < length)
    );
    const nameEnd = at;
    while (isSpace(code)) {
      code = html.charCodeAt(++at);
    }
    if (code !== EQUALS) {
      addAttribute(html, start, nameEnd, nameEnd, nameEnd, nameEnd, into, wanted);
      continue;
    }
    do {
      code = html.charCodeAt(++at);
    } while (isSpace(code));
    const valueStart = at;
    if (code === DOUBLE_QUOTE || code === SINGLE_QUOTE) {
      at = html.indexOf(code === DOUBLE_QUOTE ? '"' : "'", at + 1);
      if (at === -1) {
        return -1;
      }
      addAttribute(html, start, nameEnd, valueStart + 1, at, ++at, into, wanted);
      continue;
    }
    while (code > GREATER || (code !== GREATER && !isSpace(code) && at < length)) {
      code = html.charCodeAt(++at);
    }
    addAttribute(html, start, nameEnd, valueStart, at, at, into, wanted);
  }
}

function addAttribute(
  html: string,
  start: number,
  nameEnd: number,
  valueStart: number,
  valueEnd: number,
  end: number,
  into: Attribute[] | undefined,
  wanted: NameSet | undefined,
): void {
  const name = wanted?.find(html, start, nameEnd);
  if (name !== undefined) {
    into?.push({ name, start, end, valueStart, valueEnd, quoted: end > valueEnd });
  }
}

function behind(html: string, mark: string, from: number): number {
  const at = html.indexOf(mark, from);
  return at === -1 ? -1 : at + mark.length;
}

/** `<!-->` and `<!--->` are comments already, and `--!>` ends one. */
function endOfComment(html: string, start: number): number {
  if (html.startsWith('>', start + 4)) {
    return start + 5;
  }
  if (html.startsWith('->', start + 4)) {
    return start + 6;
  }
  let at = html.indexOf('--', start + 4);
  while (at !== -1) {
    const code = html.charCodeAt(at + 2);
    if (code === GREATER) {
      return at + 3;
    }
    if (code === BANG && html.charCodeAt(at + 3) === GREATER) {
      return at + 4;
    }
    at = html.indexOf('--', at + 1);
  }
  return -1;
}
