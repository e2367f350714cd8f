import { BoundedCache } from '../lib/bounded-cache.ts';
import {
  type ClickAppender,
  type ClickDraft,
  type EventAppender,
  MAX_BURST_LINKS,
} from './events.ts';

/** Earlier clicks of a burst that a later event can name. */
export const MAX_RECLASSIFIED = 20;
const REMEMBERED = 10_000;

/** Clicks of one client on the links of one message, within the length of a burst. */
interface Burst {
  since: number;
  readonly links: Set<string>;
  /** The events that were taken for a person's. */
  readonly people: Set<string>;
}

/** Remembers the bursts and HEAD requests that this process has seen; its memory is bounded. */
export class RecentClicks {
  readonly #withinMs: number;
  readonly #heads = new BoundedCache<string, number>(REMEMBERED);
  readonly #bursts = new BoundedCache<string, Burst>(REMEMBERED);

  /** @param withinMs the length of a burst; 0 remembers nothing */
  constructor(withinMs: number) {
    this.#withinMs = withinMs;
  }

  headSeen(link: string, now = Date.now()): void {
    this.#heads.set(link, now);
  }

  /** Completes the event of a click, and remembers the click. */
  finish({ eventId, time, burst: key, link, start, endings, reclassifies, end }: ClickDraft) {
    const burst = key === '' ? undefined : this.#burst(key, time);
    if (burst && burst.links.size < MAX_BURST_LINKS) burst.links.add(link);
    const links = burst?.links.size ?? 1;
    const headSeen = this.#isNear(time, this.#heads.get(link));
    const fitting = endings.filter((one) => one.links <= links && one.headSeen === headSeen);
    const { kind, members } = fitting.at(-1) ?? { kind: 'person', members: '' };
    const people = burst?.people ?? new Set();
    if (kind === 'person' && people.size < MAX_RECLASSIFIED) people.add(eventId);
    if (kind !== 'burst' || people.size === 0) return start + members + end;
    const list = JSON.stringify([...people]);
    people.clear();
    return start + members + reclassifies + list + end;
  }

  #burst(key: string, time: number): Burst {
    const known = this.#bursts.get(key);
    if (known !== undefined && this.#isNear(time, known.since)) return known;
    const burst = { since: time, links: new Set<string>(), people: new Set<string>() };
    this.#bursts.set(key, burst);
    return burst;
  }

  /** Whether a time of before is within the length of a burst. The clock may have been set back. */
  #isNear(time: number, before = Number.NEGATIVE_INFINITY): boolean {
    return Math.abs(time - before) < this.#withinMs;
  }
}

/** Keeps clicks with what this process knows of the clicks before them. */
export class LocalClicks implements ClickAppender {
  readonly #events: EventAppender & { close?(): Promise<void> };
  readonly #recent: RecentClicks;

  constructor(events: EventAppender & { close?(): Promise<void> }, recent: RecentClicks) {
    this.#events = events;
    this.#recent = recent;
  }

  append(events: readonly string[]): Promise<void> {
    return this.#events.append(events);
  }

  async record(click: ClickDraft): Promise<void> {
    await this.#events.append([this.#recent.finish(click)]);
  }

  headSeen(link: string): void {
    this.#recent.headSeen(link);
  }

  async close(): Promise<void> {
    await this.#events.close?.();
  }
}
