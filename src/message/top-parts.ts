import { BodyChunks } from './body-chunks.ts';
import { type HeaderField, isReport } from './header-fields.ts';
import type { TopPart } from './link.ts';
import { boundaryOf, LineSplitter, type MimeNode } from './mailsplit.ts';
import type { ReadingLimits } from './reading-options.ts';
import { ancestors, isAmbiguous, RelatedRoots, reasonOfContainer, shownAs } from './shown-parts.ts';
import type { SkipReason } from './skip-reasons.ts';

/** The place of a top part in the body, and the facts from its header. */
export interface PartFound {
  readonly part: TopPart;
  readonly start: number;
  end: number;
  /** The Content-Transfer-Encoding in lower case without comments. Empty where there is none. */
  readonly encoding: string;
  readonly charset: string;
  /** Whether soft line breaks are to be deleted: format=flowed with DelSp=yes (RFC 3676). */
  readonly delSp: boolean;
  /** The boundaries of the multiparts around the part, whose delimiters end it. */
  readonly boundaries: ReadonlySet<string>;
  /** Why the part must not be changed. */
  readonly reason: SkipReason | undefined;
}

const LF = 0x0a;
const CR = 0x0d;
const HYPHEN = 0x2d;

/**
 * Finds the top parts of a body while it arrives. The body behind the second top part is kept
 * without a look at it.
 */
export class TopParts {
  readonly body = new BodyChunks();
  readonly found: PartFound[] = [];
  reason: SkipReason | undefined;
  readonly #limits: ReadingLimits;
  readonly #splitter: LineSplitter;
  readonly #roots = new RelatedRoots();
  readonly #nodes = new Map<PartFound, MimeNode>();
  /** The start of the line that is not complete yet. */
  #lineStart = 0;
  /** The top part that is being read. */
  #open: PartFound | undefined;
  #done = false;

  constructor(headers: readonly HeaderField[], limits: ReadingLimits) {
    this.#limits = limits;
    this.#splitter = new LineSplitter(limits);
    for (const line of headerLines(headers)) {
      this.#line(line);
    }
    const root = this.#splitter.node;
    if (boundaryOf(root) === '' && this.#open === undefined) {
      this.#giveUp('no-text-part');
    }
  }

  write(chunk: Buffer): void {
    if (this.reason !== undefined) {
      return; // The body of a message that is left alone is not kept.
    }
    const chunkStart = this.body.length;
    this.body.append(chunk);
    if (this.body.length > this.#limits.bodySize) {
      this.#giveUp('body-too-large');
    }
    let at = 0;
    while (!this.#done && at < chunk.length) {
      const end = this.#splitter.inHeader
        ? chunk.indexOf(LF, at) + 1
        : this.#endOfNextCandidate(chunk, at, chunkStart);
      if (end === 0) {
        return;
      }
      this.#lineEndsAt(chunkStart + end);
      at = end;
    }
  }

  end(): void {
    if (!this.#done && this.#lineStart < this.body.length) {
      this.#lineEndsAt(this.body.length);
    }
    if (this.#open !== undefined) {
      this.#close(this.body.length);
    }
    this.#done = true;
    if (this.found.length === 0) {
      this.reason ??= 'no-text-part';
    }
  }

  /**
   * The end of the next line that may be a delimiter, with `#lineStart` at its start. Where the
   * chunk has none, 0, with
   * `#lineStart` at the start of the last line.
   */
  #endOfNextCandidate(chunk: Buffer, from: number, chunkStart: number): number {
    let at = from;
    if (this.#lineStart < chunkStart + from) {
      // A line that began in an earlier chunk is rare, so the Splitter may see it whatever it is.
      return chunk.indexOf(LF, at) + 1;
    }
    for (;;) {
      const hyphens = chunk.indexOf('--', at, 'latin1');
      const start = hyphens > from && chunk[hyphens - 1] === CR ? hyphens - 1 : hyphens;
      if (hyphens === -1) {
        this.#lineStart = chunkStart + Math.max(from, chunk.lastIndexOf(LF) + 1);
        return 0;
      }
      if (start === from || chunk[start - 1] === LF) {
        this.#lineStart = chunkStart + start;
        return chunk.indexOf(LF, hyphens) + 1;
      }
      const lineFeed = chunk.indexOf(LF, hyphens);
      if (lineFeed === -1) {
        this.#lineStart = chunkStart + Math.max(from, chunk.lastIndexOf(LF) + 1);
        return 0;
      }
      at = lineFeed + 1;
    }
  }

  /** Processes the line from `#lineStart` to `end`. */
  #lineEndsAt(end: number): void {
    const start = this.#lineStart;
    this.#lineStart = end;
    if (this.#splitter.inHeader || this.#mayBeDelimiter(start, end)) {
      const before = this.#splitter.node;
      this.#line(this.body.slice(start, end));
      if (this.#splitter.node !== before && this.#open !== undefined && !this.#done) {
        this.#close(this.#beforeLineEnd(start));
      }
    }
  }

  #mayBeDelimiter(start: number, end: number): boolean {
    const head = this.body.slice(start, Math.min(end, start + 3));
    const at = head[0] === CR ? 1 : 0;
    return head[at] === HYPHEN && head[at + 1] === HYPHEN;
  }

  #line(line: Buffer): void {
    const inHeader = this.#splitter.inHeader;
    this.#splitter.line(line);
    if (this.#splitter.error !== undefined) {
      this.#giveUp(this.#splitter.error);
    } else if (inHeader && !this.#splitter.inHeader && this.#splitter.node.headers) {
      this.#partBegins(this.#splitter.node);
    }
  }

  #partBegins(node: MimeNode): void {
    const replaced = this.#roots.begins(node);
    if (replaced !== undefined) {
      this.#drop(replaced);
    }
    if (isAmbiguous(node)) {
      this.#giveUp('ambiguous-headers');
    } else if (ancestors(node).length > this.#limits.depth) {
      this.#giveUp('too-deep');
    } else if (isReport(node.contentType || '')) {
      this.#giveUp('report');
    } else {
      this.#open = this.#topPart(node);
    }
  }

  #topPart(node: MimeNode): PartFound | undefined {
    const part = this.#roots.isShown(node) ? shownAs(node) : undefined;
    if (part === undefined || this.found.some((found) => found.part === part)) {
      return undefined;
    }
    const reason = reasonOfContainer(node);
    const found: PartFound = {
      part,
      start: this.#lineStart,
      end: this.#lineStart,
      encoding: node.encoding || '',
      charset: node.charset || '',
      delSp: node.delSp,
      boundaries: new Set(ancestors(node).map(boundaryOf)),
      reason,
    };
    this.found.push(found);
    this.#nodes.set(found, node);
    return found;
  }

  /**
   * Ends the open part. Once the second top part is certain, the rest of the body does not matter.
   */
  #close(end: number): void {
    if (this.#open !== undefined) {
      this.#open.end = Math.max(this.#open.start, end);
      this.#open = undefined;
      this.#done =
        this.found.length === 2 &&
        [...this.#nodes.values()].every((node) => this.#roots.isSure(node));
    }
  }

  /** Forgets a part and the parts in it, because readers show another part instead. */
  #drop(replaced: MimeNode): void {
    for (const [found, node] of this.#nodes) {
      if (node === replaced || ancestors(node).includes(replaced)) {
        this.#nodes.delete(found);
        this.found.splice(this.found.indexOf(found), 1);
      }
    }
  }

  /**
   * The end of a part without the line end before the delimiter, which belongs to the delimiter
   * (RFC 2046 §5.1.1).
   */
  #beforeLineEnd(end: number): number {
    const tail = this.body.slice(Math.max(0, end - 2), end);
    if (tail[tail.length - 1] !== LF) {
      return end;
    }
    return tail[tail.length - 2] === CR ? end - 2 : end - 1;
  }

  #giveUp(reason: SkipReason): void {
    this.#done = true;
    this.#open = undefined;
    this.reason ??= reason;
  }
}

/** The MIME headers of the message as header lines, which mailsplit expects before the body. */
function headerLines(headers: readonly HeaderField[]): Buffer[] {
  const lines = headers
    .filter(({ name }) => MIME_HEADERS.has(name.toLowerCase()))
    .map(({ name, value }) => `${name}: ${value.replace(/[\r\n]+/g, ' ').trim()}\r\n`);
  return [...lines, '\r\n'].map((line) => Buffer.from(line, 'latin1'));
}

const MIME_HEADERS = new Set(['content-type', 'content-transfer-encoding', 'content-disposition']);
