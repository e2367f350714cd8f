/** The longest name that a set may hold. */
const MAX_LENGTH = 31;

/** A few names, found in any case. Length and first letter rule out most other names. */
export class NameSet {
  readonly #prefix: string | undefined;
  /** The number of the group of each length and first letter. Most have group 0, which is empty. */
  readonly #groupOf = new Uint8Array((MAX_LENGTH + 1) * 32);
  readonly #groups: string[][] = [[]];

  /**
   * @param names in lower case, up to 31 characters each
   * @param prefix names with this prefix are in the set as well
   */
  constructor(names: Iterable<string>, prefix?: string) {
    this.#prefix = prefix;
    for (const name of names) {
      const key = name.length * 32 + (name.charCodeAt(0) & 31);
      this.#groupOf[key] ||= this.#groups.push([]) - 1;
      this.#groups[this.#groupOf[key] as number]?.push(name);
    }
  }

  /** The name from start to end in lower case, or undefined where it is not in the set. */
  find(text: string, start: number, end: number): string | undefined {
    const length = end - start;
    if (
      this.#prefix !== undefined &&
      length > this.#prefix.length &&
      text.charCodeAt(start + this.#prefix.length - 1) ===
        this.#prefix.charCodeAt(this.#prefix.length - 1)
    ) {
      const name = text.slice(start, end).toLowerCase();
      if (name.startsWith(this.#prefix)) {
        return name;
      }
    }
    const group =
      length > MAX_LENGTH ? 0 : this.#groupOf[length * 32 + (text.charCodeAt(start) & 31)];
    if (!group) {
      return undefined;
    }
    for (const name of this.#groups[group] as string[]) {
      if (isName(text, start, name)) {
        return name;
      }
    }
    return undefined;
  }
}

/** Whether a name stands at an offset, in any case. */
function isName(text: string, start: number, name: string): boolean {
  for (let at = 0; at < name.length; at++) {
    const code = text.charCodeAt(start + at);
    const lower = code >= UPPER_A && code <= UPPER_Z ? code | 0x20 : code;
    if (lower !== name.charCodeAt(at)) {
      return false;
    }
  }
  return true;
}

const UPPER_A = 0x41;
const UPPER_Z = 0x5a;

export interface Attribute {
  /** Lower case. */
  readonly name: string;
  readonly start: number;
  /** The end of the value with its quote. */
  readonly end: number;
  /** The value without quotes. Both are `end` where there is no value. */
  readonly valueStart: number;
  readonly valueEnd: number;
  readonly quoted: boolean;
}

export interface Tag {
  /** Lower case. */
  readonly name: string;
  readonly start: number;
  /** The offset behind the `>`. */
  readonly end: number;
  /** The wanted attributes in the order of the tag. Of two with the same name, the first counts. */
  readonly attributes: readonly Attribute[];
}

const TAB = 0x09;
const LF = 0x0a;
const FF = 0x0c;
const CR = 0x0d;
const SPACE = 0x20;
const DOUBLE_QUOTE = 0x22;
const SINGLE_QUOTE = 0x27;
const SLASH = 0x2f;
const EQUALS = 0x3d;
const GREATER = 0x3e;

/** The start tag at an offset, with its wanted attributes. */
export function tagAt(html: string, offset: number, wanted: NameSet): Tag | undefined {
  const nameEnd = endOfName(html, offset + 1);
  const attributes: Attribute[] = [];
  const end = endOfTag(html, nameEnd, attributes, wanted);
  const name = html.slice(offset + 1, nameEnd).toLowerCase();
  return end === -1 ? undefined : { name, start: offset, end, attributes };
}

export function isLetter(code: number): boolean {
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x7a;
}

function isSpace(code: number): boolean {
  return code === SPACE || code === LF || code === CR || code === TAB || code === FF;
}

export function endOfName(html: string, start: number): number {
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
 * The offset behind the `>` of a tag, or -1 where the document ends before.
 *
 * @param from the end of the name
 * @param into takes the wanted attributes
 */
export function endOfTag(html: string, from: number, into?: Attribute[], wanted?: NameSet): number {
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
    // A leading `=` belongs to the name.
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
