import { BodyChunks } from './body-chunks.ts';
import { type HeaderField, isReport } from './header-fields.ts';
import type { TopPart } from './link.ts';
import { LineSplitter, type MimeNode } from './mailsplit.ts';
import type { ReadingLimits } from './open-message.ts';
import { isAmbiguous, isWithin, RelatedRoots, reasonOfContainer, shownAs } from './shown-parts.ts';
import type { SkipReason } from './skip-reasons.ts';

/** Where a top part lies in the body, and what its header says of it. */
export interface PartFound {
  readonly part: TopPart;
  readonly start: number;
  end: number;
  /** Content-Transfer-Encoding, lower case, without comments; empty where there is none. */
  readonly encoding: string;
  readonly charset: string;
  /** format=flowed with DelSp=yes (RFC 3676): soft line breaks stand for nothing. */
  readonly delSp: boolean;
  /** It must not be changed. */
  readonly reason?: SkipReason;
}

const LF = 0x0a;
const CR = 0x0d;
const HYPHEN = 0x2d;

/** Finds the top parts of a body while it comes in; what follows the second is only kept. */
export class TopParts {
  readonly body = new BodyChunks();
  readonly found: PartFound[] = [];
  reason: SkipReason | undefined;
  readonly #limits: ReadingLimits;
  readonly #splitter: LineSplitter;
  readonly #roots = new RelatedRoots();
  readonly #nodes = new Map<PartFound, MimeNode>();
  /** Where the line that is not complete yet began. */
  #lineStart = 0;
  /** The top part being read. */
  #open: PartFound | undefined;
  #done = false;

  constructor(headers: readonly HeaderField[], limits: ReadingLimits) {
    this.#limits = limits;
    this.#splitter = new LineSplitter(limits);
    for (const line of headerLines(headers)) {
      this.#line(line);
    }
    const root = this.#splitter.node;
    if (!root._boundary && this.#open === undefined) {
      this.#giveUp('no-text-part');
    }
  }

  write(chunk: Buffer): void {
    if (this.reason !== undefined) {
      return; // Nothing will be made of it: nothing is kept.
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
   * The end of the next line that has to be looked at, and `#lineStart` at its beginning; 0 where
   * there is none in this chunk, and `#lineStart` at the beginning of the line that goes on.
   */
  #endOfNextCandidate(chunk: Buffer, from: number, chunkStart: number): number {
    let at = from;
    if (this.#lineStart < chunkStart + from) {
      // A line that began in an earlier chunk: let the Splitter see it, it is rare.
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

  /** The line that began at `#lineStart` is complete. */
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
    } else if (depthOf(node) > this.#limits.depth) {
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
      ...(reason && { reason }),
    };
    this.found.push(found);
    this.#nodes.set(found, node);
    return found;
  }

  /** The open part ends; with the second, nothing that follows matters. */
  #close(end: number): void {
    if (this.#open !== undefined) {
      this.#open.end = Math.max(this.#open.start, end);
      this.#open = undefined;
      this.#done =
        this.found.length === 2 &&
        [...this.#nodes.values()].every((node) => this.#roots.isSure(node));
    }
  }

  /** Readers show another part in the place of this one, and of what is in it. */
  #drop(replaced: MimeNode): void {
    for (const [found, node] of this.#nodes) {
      if (isWithin(node, replaced)) {
        this.#nodes.delete(found);
        this.found.splice(this.found.indexOf(found), 1);
      }
    }
  }

  /** The line end before a delimiter belongs to the delimiter (RFC 2046 §5.1.1). */
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

/** The message's MIME headers as the header of a part: a milter gets the rest of the message without them. */
function headerLines(headers: readonly HeaderField[]): Buffer[] {
  const lines = headers
    .filter(({ name }) => MIME_HEADERS.has(name.toLowerCase()))
    .map(({ name, value }) => `${name}: ${value.replace(/[\r\n]+/g, ' ').trim()}\r\n`);
  return [...lines, '\r\n'].map((line) => Buffer.from(line, 'latin1'));
}

const MIME_HEADERS = new Set(['content-type', 'content-transfer-encoding', 'content-disposition']);

function depthOf(node: MimeNode): number {
  let depth = 0;
  for (let parent = node.parentNode; parent; parent = parent.parentNode) {
    depth++;
  }
  return depth;
}
