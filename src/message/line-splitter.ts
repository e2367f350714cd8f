import { type MimeNode, Splitter } from 'mailsplit';

export type { MimeNode };

/** The inside of mailsplit's Splitter that is used here: the only file that touches it. */
interface SplitterInside {
  /** The node the next line belongs to. */
  readonly node: MimeNode;
  /** HEAD or BODY in mailsplit's lib/message-splitter.js. */
  readonly state: number;
  readonly nodeCounter: number;
  processLine(line: Buffer, final: false, next: (error?: Error | null) => void): void;
}

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
    this.#inside.processLine(line, false, (error) => {
      if (error) {
        this.error =
          this.#inside.nodeCounter > this.#maxParts ? 'too-many-parts' : 'headers-too-large';
      }
    });
  }
}
