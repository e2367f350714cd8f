import { type Attribute, endOfName, endOfTag, isLetter, NameSet, type Tag } from './html-tag.ts';

export interface HtmlSink {
  /** Called for each tag with a wanted name, in the order of the document. */
  tag(tag: Tag): void;
  comment?(start: number, end: number): void;
  /** Called for each text between markup; it may be empty. */
  readonly text?: ((start: number, end: number) => void) | undefined;
}

const BANG = 0x21;
const SLASH = 0x2f;
const COLON = 0x3a;
const GREATER = 0x3e;
const QUESTION = 0x3f;

/**
 * Finds start tags and comments where the tokenizer of the HTML standard (WHATWG HTML §13.2.5)
 * finds them. All offsets are into the given string.
 */
export class HtmlScanner {
  readonly #names: NameSet;
  readonly #attributes: NameSet;
  readonly #wanted: ReadonlySet<string>;
  readonly #wantsNamespaced: boolean;

  /**
   * @param wanted lower-case names of the elements to report. `v:*` stands for all elements with
   * that prefix
   * @param attributes the attributes to report
   */
  constructor(wanted: readonly string[], attributes: NameSet) {
    this.#attributes = attributes;
    this.#wanted = new Set(wanted);
    this.#wantsNamespaced = this.#wanted.has('v:*');
    this.#names = new NameSet([...wanted, ...RAW_TEXT]);
  }

  /** Gives whether the document ends in text: not in a tag, a comment, or a script. */
  scan(html: string, sink: HtmlSink): boolean {
    let text = 0;
    let at = html.indexOf('<');
    while (at !== -1) {
      sink.text?.(text, at);
      text = this.#markup(html, at, sink);
      if (text === -1) {
        return false;
      }
      at = html.indexOf('<', text);
    }
    sink.text?.(text, html.length);
    return true;
  }

  /**
   * Processes the markup that a `<` begins. Gives the offset behind it, or -1 where it is
   * unfinished.
   */
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
        return behind(html, '>', at + 2); // a doctype, CDATA outside of SVG, or <![if …]>
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

function behind(html: string, mark: string, from: number): number {
  const at = html.indexOf(mark, from);
  return at === -1 ? -1 : at + mark.length;
}

/** The end of a comment. `<!-->` and `<!--->` are complete comments, and `--!>` ends one. */
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

const SCRIPT = 'script';
const PLAINTEXT = 'plaintext';

/** Elements whose content is text to the tokenizer: only their own end tag is recognised in it. */
const RAW_TEXT: ReadonlySet<string> = new Set([
  'title',
  'textarea',
  'style',
  'xmp',
  'iframe',
  'noembed',
  'noframes',
  SCRIPT,
  PLAINTEXT,
]);

/** The offset of the end tag of an element whose content is text. */
function endOfRawText(html: string, name: string, from: number): number {
  if (name === PLAINTEXT) {
    return -1;
  }
  if (name === SCRIPT) {
    return endOfScript(html, from);
  }
  let at = html.indexOf('</', from);
  while (at !== -1) {
    const nameEnd = at + 2 + name.length;
    if (endsName(html, nameEnd) && html.slice(at + 2, nameEnd).toLowerCase() === name) {
      return at;
    }
    at = html.indexOf('</', at + 2);
  }
  return -1;
}

function endsName(html: string, at: number): boolean {
  return /[\t\n\f\r />]/.test(html[at] ?? '');
}

/**
 * The offset of the end tag of a script. In `<!-- … -->` a script may hold `<script … </script`
 * (double escaped).
 */
function endOfScript(html: string, from: number): number {
  const mark = /<!--|-->|<\/?script(?=[\t\n\f\r />])/gi;
  mark.lastIndex = from;
  let escaped = false;
  let nested = false;
  for (let match = mark.exec(html); match !== null; match = mark.exec(html)) {
    const [found] = match;
    if (found === '<!--') {
      escaped = true;
      mark.lastIndex = match.index + 2; // the hyphens may also be those of `-->`
    } else if (found === '-->') {
      escaped = false;
      nested = false;
    } else if (found[1] !== '/') {
      nested = escaped;
    } else if (nested) {
      nested = false;
    } else {
      return match.index;
    }
  }
  return -1;
}
