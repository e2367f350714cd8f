import type { Answer } from './answer.ts';
import type { MessageLimit } from './event.ts';
import type { Header } from './filter.ts';
import type { FilterMessage } from './filter-message.ts';
import type { Limits } from './options.ts';

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
  #bodyBytes = 0;

  countRecipient(limits: Limits): MessageLimit | undefined {
    return ++this.#recipients > limits.recipients ? 'recipients' : undefined;
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
