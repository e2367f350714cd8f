import type { Answer } from './answer.ts';
import type { MessageLimit } from './event.ts';
import type { EnvelopeAddress, Header } from './filter.ts';
import type { FilterMessage } from './filter-message.ts';
import type { Limits } from './options.ts';

/** Of all on the average: an SMTP command has 512 (RFC 5321 §4.5.3.1.4), with extensions some more. */
const MAX_RECIPIENT_BYTES = 1000;

/** What a session keeps of the message under way, from MAIL to its last answer. */
export class CurrentMessage<State> {
  /** Absent where the filter could not begin it. */
  filtered: FilterMessage<State> | undefined;
  /** An answer for the whole message, to be given as soon as one is due; hooks are not asked any more. */
  held: Answer | undefined;
  /** The filter has been told that it will not see the end. */
  givenUp = false;
  /** The filter wants no more of the body. */
  skipping = false;
  #headerCount = 0;
  #headerBytes = 0;
  #recipients = 0;
  #recipientBytes = 0;
  #bodyBytes = 0;

  countRecipient({ address }: EnvelopeAddress, limits: Limits): MessageLimit | undefined {
    this.#recipientBytes += address.length;
    const isOver =
      ++this.#recipients > limits.recipients ||
      this.#recipientBytes > limits.recipients * MAX_RECIPIENT_BYTES;
    return isOver ? 'recipients' : undefined;
  }

  countHeader({ name, raw }: Header, limits: Limits): MessageLimit | undefined {
    this.#headerBytes += name.length + raw.length;
    if (++this.#headerCount > limits.headerCount) return 'headerCount';
    return this.#headerBytes > limits.headerBytes ? 'headerBytes' : undefined;
  }

  countBody(bytes: number, limits: Limits): MessageLimit | undefined {
    this.#bodyBytes += bytes;
    return this.#bodyBytes > limits.bodyBytes ? 'bodyBytes' : undefined;
  }
}
