import { dayAndHour } from '../lib/days.ts';
import type { SentMessage } from './counters.ts';
import { countedKeys } from './counting.ts';
import type { Counted, Tallies } from './tallies.ts';

/** Messages that are counted alike. */
export interface SentSum extends Counted {
  messages: number;
  links: number;
}

/**
 * Adds up messages that are counted alike: a newsletter adds to one sum per recipients' domain and
 * hour.
 */
export class SentSums {
  #sums = new Map<string, SentSum>();

  get size(): number {
    return this.#sums.size;
  }

  count(message: SentMessage): void {
    const { campaign, pathway, recipientDomain, tags } = countedKeys(message);
    const { day, hour } = dayAndHour(message.time);
    const { links } = message;
    this.add({ day, hour, campaign, pathway, recipientDomain, tags, messages: 1, links });
  }

  add(sum: SentSum): void {
    let key = `${sum.hour}\0${sum.recipientDomain}\0${sum.campaign}\0${sum.pathway}`;
    for (const tag of sum.tags) key += `\0${tag}`;
    const known = this.#sums.get(key);
    if (known === undefined) {
      this.#sums.set(key, sum);
    } else {
      known.messages += sum.messages;
      known.links += sum.links;
    }
  }

  /** Gives all sums away, and is empty then. */
  take(): SentSum[] {
    const sums = [...this.#sums.values()];
    this.#sums = new Map();
    return sums;
  }

  moveTo(tallies: Tallies): void {
    for (const sum of this.take()) {
      tallies.add(sum, { messages: sum.messages, links: sum.links });
    }
  }
}
