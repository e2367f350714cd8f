import { dayAndHour } from '../lib/days.ts';
import type { ClickClass, CountedClick } from './counters.ts';
import { addClasses, type ByClass, byClass, countedKeys, countedText } from './counting.ts';
import type { Counted } from './tallies.ts';

/** Clicks on one link of one message, at one place of it and within one hour. */
export interface ClickSum {
  readonly messageId: string;
  clicks: ByClass;
  readonly counted: Counted & Required<Pick<Counted, 'link'>>;
}

/** Adds up clicks until they are counted. */
export class BookedClicks {
  #sums = new Map<string, ClickSum & { readonly link: string }>();

  add(click: CountedClick, by: ClickClass): void {
    const { messageId, link, part, position, time } = click;
    const { day, hour } = dayAndHour(time);
    const key = `${hour} ${messageId} ${part} ${position} ${link}`;
    const clicks = byClass(click, by);
    const known = this.#sums.get(key);
    if (known !== undefined) {
      known.clicks = addClasses(known.clicks, clicks);
      return;
    }
    const place = { label: countedText(link), part, ...(position !== undefined && { position }) };
    const { campaign, pathway, tags, recipientDomain } = countedKeys(click);
    const counted = { day, hour, campaign, pathway, tags, recipientDomain, link: place };
    this.#sums.set(key, { messageId, link, clicks, counted });
  }

  /** Gives all clicks away, each with the whole text of its link, and is empty then. */
  take(): readonly (ClickSum & { readonly link: string })[] {
    const sums = [...this.#sums.values()];
    this.#sums = new Map();
    return sums;
  }
}
