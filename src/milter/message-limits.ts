import type { Limits } from './options.ts';

/**
 * Average bytes per recipient that the limit on recipients allows. An SMTP command line has 512
 * (RFC 5321, section 4.5.3.1.4), and more with extensions.
 */
const MAX_RECIPIENT_BYTES = 1000;

/** A limit on what comes before the body. */
export type HeaderLimit = 'recipients' | 'headerCount' | 'headerBytes';

/** Counts the recipients and header fields of one message against the limits. */
export class MessageLimits {
  /** The first limit that was exceeded. */
  exceeded: HeaderLimit | undefined;
  readonly #limits: Pick<Limits, HeaderLimit>;
  #recipients = 0;
  #recipientBytes = 0;
  #headers = 0;
  #headerBytes = 0;

  constructor(limits: Pick<Limits, HeaderLimit>) {
    this.#limits = limits;
  }

  /** Counts a recipient. @returns the limit that is exceeded, if any */
  recipient(address: string): HeaderLimit | undefined {
    const { recipients } = this.#limits;
    this.#recipientBytes += address.length;
    const isOver =
      ++this.#recipients > recipients || this.#recipientBytes > recipients * MAX_RECIPIENT_BYTES;
    if (isOver) this.exceeded ??= 'recipients';
    return this.exceeded;
  }

  /** Counts a header field. @returns the limit that is exceeded, if any */
  header(name: string, value: string): HeaderLimit | undefined {
    const { headerCount, headerBytes } = this.#limits;
    this.#headerBytes += name.length + value.length;
    if (++this.#headers > headerCount) this.exceeded ??= 'headerCount';
    if (this.#headerBytes > headerBytes) this.exceeded ??= 'headerBytes';
    return this.exceeded;
  }
}
