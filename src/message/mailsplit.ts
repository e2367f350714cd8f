import { type MimeNode as MailsplitNode, Splitter } from 'mailsplit';
import { BoundedCache } from '../lib/bounded-cache.ts';

/**
 * The only file that uses the inside of mailsplit, for one reason: speed. The parser is
 * mailsplit's, but its public stream takes turns of the event loop and builds an object for each
 * piece of the body, which costs several times the parsing (docs/architecture.md has the figures).
 * Driven synchronously, the parser sees the header lines and those lines of a body that may be a
 * delimiter, and nothing else.
 */

/** The version whose inside this file knows. A test compares it with the installed version. */
export const KNOWN_MAILSPLIT = '5.4.30';

/** A part of a message as mailsplit describes it, with fields that mailsplit does not publish. */
export interface MimeNode extends MailsplitNode {
  readonly _headersLines: readonly Buffer[];
  readonly _parsedContentType: { readonly params: Readonly<Record<string, string>> } | false;
}

/** The unpublished fields and methods of a Splitter. */
interface SplitterInside {
  /** The part that the next line belongs to. */
  readonly node: MimeNode;
  /** HEAD or BODY in mailsplit's lib/message-splitter.js. */
  readonly state: number;
  readonly nodeCounter: number;
  processLine(line: Buffer, final: false, next: (error?: Error | null) => void): void;
}

const HEAD = 0x01;

/** The boundary of a multipart, which is ASCII. Empty where a part has none. */
export function boundaryOf({ _boundary }: MimeNode): string {
  return _boundary ? String(_boundary) : '';
}

/** A parameter of the Content-Type of a part. */
export function contentTypeParameter(
  { _parsedContentType: type }: MimeNode,
  name: string,
): string | undefined {
  return type ? type.params[name] : undefined;
}

/**
 * mailsplit's Splitter, driven line by line. In a body, `line` need only be called with lines that
 * may be a delimiter (`--…`, or `\r--…`), because all other lines change nothing in the Splitter.
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

  /** The part that the next line belongs to. */
  get node(): MimeNode {
    return this.#inside.node;
  }

  /** Whether the next line belongs to the header of a part. */
  get inHeader(): boolean {
    return this.#inside.state === HEAD;
  }

  /** Takes one whole line with its line end. */
  line(line: Buffer): void {
    const { node } = this.#inside;
    const isEmptyLine = line[0] === 0x0a || (line[0] === 0x0d && line[1] === 0x0a);
    if (!this.inHeader || !isEmptyLine) {
      this.#process(line);
      return;
    }
    // The messages of a sender have the same few headers but for their boundaries, and mailsplit
    // parses no headers that a part has already.
    const header = Buffer.concat(node._headersLines).toString('latin1');
    const { key, boundary } = withoutBoundary(header);
    const known = parsedHeaders.get(key);
    if (known !== undefined) {
      Object.assign(node, known, boundary && { _boundary: Buffer.from(boundary) });
    }
    this.#process(line);
    const isPlain = boundary === undefined || boundary === String(node._boundary);
    if (known === undefined && node.headers && isPlain && header.length <= MAX_KNOWN_HEADER) {
      parsedHeaders.set(key, parsedFields(node));
    }
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

/**
 * A header with a boundary in quotes and nothing else that is quoted, in characters that mean
 * themselves.
 */
const WITH_BOUNDARY = /^([^"()\\]*;\s*boundary=")([\w=.-]{1,70})("[^"()\\]*)$/i;

/** The key of a header, and its boundary, which is not part of the key. */
function withoutBoundary(header: string): { key: string; boundary?: string } {
  const [, before = '', boundary, behind = ''] = WITH_BOUNDARY.exec(header) ?? [];
  return boundary === undefined || /boundary/i.test(before.slice(0, -10) + behind)
    ? { key: header }
    : { key: `\n${before}${behind}`, boundary }; // no header begins with a line feed
}

/** The parsed fields of parts, by the bytes of their headers. */
const parsedHeaders = new BoundedCache<string, ReturnType<typeof parsedFields>>(100);
const MAX_KNOWN_HEADER = 500;

function parsedFields(node: MimeNode) {
  const { headers, contentType, charset, encoding, disposition, filename } = node;
  const { flowed, delSp, multipart, rfc822, _boundary, _parsedContentType } = node;
  return {
    ...{ headers, contentType, charset, encoding, disposition, filename },
    ...{ flowed, delSp, multipart, rfc822, _boundary, _parsedContentType },
  };
}
