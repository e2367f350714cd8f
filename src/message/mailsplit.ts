import { type MimeNode as MailsplitNode, Splitter } from 'mailsplit';
import { BoundedCache } from '../lib/bounded-cache.ts';

/** With what it makes of its headers; it parses none where it has `headers` already. */
export interface MimeNode extends MailsplitNode {
  readonly _headersLines: readonly Buffer[];
  readonly _parsedContentType: { readonly params: Readonly<Record<string, string>> } | false;
}

/** The inside of mailsplit's Splitter that is used here: the only file that touches it. */
interface SplitterInside {
  /** The node the next line belongs to. */
  readonly node: MimeNode;
  /** HEAD or BODY in mailsplit's lib/message-splitter.js. */
  readonly state: number;
  readonly nodeCounter: number;
  processLine(line: Buffer, final: false, next: (error?: Error | null) => void): void;
}

const LF = 0x0a;
const CR = 0x0d;

const HEAD = 0x01;

/** The version whose inside this file knows; a test holds it against the installed one. */
export const KNOWN_MAILSPLIT = '5.4.30';

/**
 * mailsplit's Splitter, driven line by line and synchronously: its stream takes a turn of the event
 * loop every few lines, which costs ten times the parsing.
 *
 * In a body `line` need only be called with lines that may be a delimiter (`--…`, or `\r--…`):
 * any other changes nothing in the Splitter.
 */
export class LineSplitter {
  readonly #inside: SplitterInside;
  readonly #maxParts: number;
  error: 'headers-too-large' | 'too-many-parts' | undefined;

  constructor(limits: { headerSize: number; parts: number }) {
    this.#maxParts = limits.parts;
    this.#inside = new Splitter({
      ignoreEmbedded: true,
      maxHeadSize: limits.headerSize,
      maxChildNodes: limits.parts,
    }) as unknown as SplitterInside;
  }

  get node(): MimeNode {
    return this.#inside.node;
  }

  get inHeader(): boolean {
    return this.#inside.state === HEAD;
  }

  /** Takes one whole line with its line end. */
  line(line: Buffer): void {
    const { node } = this.#inside;
    if (this.inHeader && node.parentNode && isEmpty(line)) {
      // The parts of one sender's messages have the same few headers, and to parse them takes long.
      const header = Buffer.concat(node._headersLines).toString('latin1');
      const known = parsedHeaders.get(header);
      if (known !== undefined) {
        Object.assign(node, known);
      }
      this.#process(line);
      if (known === undefined) {
        remember(header, node);
      }
      return;
    }
    this.#process(line);
  }

  #process(line: Buffer): void {
    this.#inside.processLine(line, false, (error) => {
      if (error) {
        this.error =
          this.#inside.nodeCounter > this.#maxParts ? 'too-many-parts' : 'headers-too-large';
      }
    });
  }
}

/** What the header of a part says, by its bytes. */
const parsedHeaders = new BoundedCache<string, ReturnType<typeof parsedOf>>(100);
const MAX_HEADER_LENGTH = 500;

function remember(header: string, node: MimeNode): void {
  if (!node.headers || header.length > MAX_HEADER_LENGTH) {
    return;
  }
  parsedHeaders.set(header, parsedOf(node));
}

function parsedOf(node: MimeNode) {
  const { headers, contentType, charset, encoding, disposition, filename } = node;
  const { flowed, delSp, multipart, rfc822, _boundary, _parsedContentType } = node;
  return {
    ...{ headers, contentType, charset, encoding, disposition, filename },
    ...{ flowed, delSp, multipart, rfc822, _boundary, _parsedContentType },
  };
}

function isEmpty(line: Buffer): boolean {
  return line[0] === LF || (line[0] === CR && line[1] === LF);
}
