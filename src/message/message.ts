/**
 * `clickmilter/message`: finds the links of a message and replaces them, byte for byte. Every other
 * byte stays as it is.
 *
 *     import { createReadStream } from 'node:fs';
 *     import { pipeline } from 'node:stream/promises';
 *     import { LinkRewriter } from 'clickmilter/message';
 *
 *     const targets: string[] = [];
 *     const rewriter = new LinkRewriter({
 *       urlFor: ({ target }) => `https://click.example.com/${targets.push(target)}`,
 *     });
 *     await pipeline(createReadStream('newsletter.eml'), rewriter, process.stdout);
 */
import { Transform, type TransformCallback } from 'node:stream';
import type { HeaderField } from './header-fields.ts';
import type { FoundLink, RewrittenLink } from './link.ts';
import { type OpenMessage, openMessage } from './open-message.ts';
import type { MessageOptions } from './reading-options.ts';
import type { SkipReason } from './skip-reasons.ts';

export type { HeaderField } from './header-fields.ts';
export type { FoundLink, RewrittenLink, RewrittenMessage, TopPart, UrlFor } from './link.ts';
export { type OpenMessage, openMessage, type ReadMessage } from './open-message.ts';
export { DEFAULT_LIMITS, type MessageOptions, type ReadingLimits } from './reading-options.ts';
export { SKIP_REASONS, type SkipReason } from './skip-reasons.ts';

export interface LinkRewriterOptions extends MessageOptions {
  /**
   * Gives each link that may be tracked its URL, or undefined to leave the link alone. A failure
   * destroys the stream.
   */
  readonly urlFor: (link: FoundLink) => string | undefined | Promise<string | undefined>;
  /** Called once, before the rewritten message leaves the stream. */
  readonly onRewritten?: (report: LinkRewriterReport) => void;
}

export interface LinkRewriterReport {
  readonly links: readonly RewrittenLink[];
  /** Why the whole message is left alone. */
  readonly reason?: SkipReason | undefined;
}

/**
 * Takes a message as bytes, or as the objects of mailsplit's `Splitter`, and gives it back with
 * other links. Bytes of a message that is left alone pass as soon as that is known; all others
 * leave the stream at the end of the message.
 */
export class LinkRewriter extends Transform {
  readonly #options: LinkRewriterOptions;
  /** Header and body, as long as the message may change. */
  #held: Buffer[] = [];
  /**
   * The last characters of a header that is not complete. An empty line ends it, which may be the
   * first line.
   */
  #end = '\n';
  #header: MessageFile | undefined;
  #open: OpenMessage | undefined;

  constructor(options: LinkRewriterOptions) {
    super({ writableObjectMode: true });
    this.#options = options;
  }

  override _transform(chunk: unknown, encoding: BufferEncoding, callback: TransformCallback): void {
    const bytes = bytesOf(chunk, encoding);
    if (this.#open === undefined) {
      this.#held.push(bytes);
      const end = this.#end + bytes.toString('latin1');
      this.#end = end.slice(-2);
      if (/\n\r?\n/.test(end)) {
        this.#openMessage();
      }
    } else if (this.#open.needsBody) {
      this.#held.push(bytes);
      this.#open.write(bytes);
    } else {
      this.push(bytes);
    }
    this.#passUntouched();
    callback();
  }

  override _flush(callback: TransformCallback): void {
    this.#rewrite().then(() => callback(), callback);
  }

  #openMessage(): OpenMessage {
    const bytes = Buffer.concat(this.#held);
    this.#held = [bytes];
    this.#header = readMessageFile(bytes);
    this.#open = openMessage(this.#header.fields, this.#options);
    this.#open.write(this.#header.body);
    return this.#open;
  }

  /** Lets the bytes go that were held, once it is known that the message is left alone. */
  #passUntouched(): void {
    if (this.#open?.needsBody === false) {
      for (const bytes of this.#held) {
        this.push(bytes);
      }
      this.#held = [];
    }
  }

  async #rewrite(): Promise<void> {
    const message = (this.#open ?? this.#openMessage()).end();
    const urls: (string | undefined)[] = [];
    for (const link of message.links) {
      urls.push(link.reason === undefined ? await this.#options.urlFor(link) : undefined);
    }
    const { body, links } = message.rewrite((_, index) => urls[index]);
    this.#options.onRewritten?.({ links, reason: message.reason });
    const { preface, fields = [], separator } = this.#header ?? {};
    const header = [preface, ...fields.map(({ bytes }) => bytes), separator];
    for (const bytes of body === undefined ? this.#held : [...header, ...body]) {
      this.push(bytes);
    }
  }
}

/**
 * The bytes of a chunk, or of an object of mailsplit's `Splitter` as its `Joiner` would write it.
 */
function bytesOf(chunk: unknown, encoding: BufferEncoding): Buffer {
  if (typeof chunk === 'string') {
    return Buffer.from(chunk, encoding);
  }
  if (chunk instanceof Uint8Array) {
    return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
  const { type, value, getHeaders } = chunk as SplitterChunk;
  return (type === 'node' ? getHeaders?.call(chunk) : value) || Buffer.alloc(0);
}

interface SplitterChunk {
  readonly type?: string;
  readonly value?: Buffer | false;
  getHeaders?(): Buffer;
}

/**
 * A whole message in pieces, with CRLF or LF line ends. Joined, the pieces are the message again.
 */
export interface MessageFile {
  /** An mbox "From " line before the header. */
  readonly preface: Buffer;
  /** The header fields as a milter gets them, each with its bytes in the message. */
  readonly fields: readonly (HeaderField & { readonly bytes: Buffer })[];
  /** The empty line between header and body. */
  readonly separator: Buffer;
  readonly body: Buffer;
}

/**
 * Splits a message into its pieces. The first line that is not part of a header field ends the
 * header.
 */
export function readMessageFile(message: Buffer): MessageFile {
  const fields: { name: string; value: string; bytes: Buffer }[] = [];
  const preface = message.subarray(0, 5).equals(Buffer.from('From ')) ? lineEnd(message, 0) : 0;
  let position = preface;
  while (position < message.length) {
    let end = lineEnd(message, position);
    while (message[end] === 0x20 || message[end] === 0x09) end = lineEnd(message, end);
    const bytes = message.subarray(position, end);
    const text = bytes.toString('latin1');
    const name = /^([!-9;-~]+)[ \t]*:/.exec(text)?.[1];
    if (name === undefined) break;
    const value = text.slice(text.indexOf(':') + 1).replaceAll('\r\n', '\n');
    fields.push({ name, value: value.replace(/\n$/, ''), bytes });
    position = end;
  }
  const isEmptyLine = /^\r?\n/.test(message.toString('latin1', position, position + 2));
  const body = isEmptyLine ? lineEnd(message, position) : position;
  return {
    fields,
    preface: message.subarray(0, preface),
    separator: message.subarray(position, body),
    body: message.subarray(body),
  };
}

/** The offset behind the line that starts at an offset. */
function lineEnd(message: Buffer, start: number): number {
  const end = message.indexOf('\n', start);
  return end < 0 ? message.length : end + 1;
}
