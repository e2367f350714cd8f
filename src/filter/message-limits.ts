import type { HeaderField } from '../message/header-fields.ts';
import type { FilterSettings } from './options.ts';

/** Bytes per recipient on average. An SMTP command line has 512 (RFC 5321, section 4.5.3.1.4). */
const MAX_RECIPIENT_BYTES = 1000;

/**
 * The recipients and header fields of one message, counted against the limits of Milter_Listener.
 * The milter server could count them, but would end the message for the filter, which then could
 * not remove headers.
 */
export class MessageLimits {
  /** A sentence for the log, once a limit is exceeded. */
  exceeded: string | undefined;
  readonly #limits: FilterSettings['limits'];
  #recipients = 0;
  #recipientBytes = 0;
  #fields = 0;
  #fieldBytes = 0;

  constructor(limits: FilterSettings['limits']) {
    this.#limits = limits;
  }

  recipient(address: string): void {
    const { recipients } = this.#limits;
    this.#recipientBytes += address.length;
    const isOver =
      ++this.#recipients > recipients || this.#recipientBytes > recipients * MAX_RECIPIENT_BYTES;
    if (isOver) this.#exceed(`max_recipients (${recipients})`);
  }

  header({ name, value }: HeaderField): void {
    const { headerCount, headerBytes } = this.#limits;
    this.#fieldBytes += name.length + value.length;
    if (++this.#fields > headerCount) this.#exceed(`max_header_count (${headerCount})`);
    if (this.#fieldBytes > headerBytes) this.#exceed(`max_header_size (${headerBytes} bytes)`);
  }

  #exceed(limit: string): void {
    this.exceeded ??= `message over ${limit}: delivered untracked`;
  }
}
