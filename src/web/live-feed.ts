import { setTimeout as sleep } from 'node:timers/promises';
import { inBackground } from '../lib/background.ts';
import { type Detail, type Logger, logFailure } from '../lib/logger.ts';
import type { Events, StreamReader } from '../store/store.ts';
import { type FeedClick, type LiveClick, limitClick, readClick } from './live-click.ts';

export interface LiveFeedOptions {
  readonly events: Pick<Events, 'openReader' | 'recent'>;
  /** `log { detail }` as of now. */
  readonly detail: () => Detail;
  readonly logger: Logger;
  /** Writes a click as a row of the page. */
  readonly rowOf: (click: LiveClick) => string;
  /** The most viewers at a time. */
  readonly maxViewers?: number;
  /** How long the events are still read after the last viewer has left. */
  readonly lingerMs?: number;
  /** How long clicks are gathered before they are sent together. */
  readonly gatherMs?: number;
}

/** Where a viewer gets its events: the response to its request. */
export interface Viewer {
  write(text: string): unknown;
  /** Characters that the viewer has not taken yet. */
  readonly writableLength: number;
  destroy(): unknown;
}

/** What the feed knows: the last clicks, and whether the store answers. */
export interface LiveState {
  /** The newest last. */
  readonly clicks: readonly LiveClick[];
  readonly isAway: boolean;
}

/** Clicks that are kept for viewers who come later. */
export const RING = 200;
/** Clicks that are sent together: of more, viewers get the newest, and how many there were. */
const MAX_TOGETHER = 50;
/** A viewer that has not taken this much is dropped; its browser connects again. */
const MAX_UNREAD = 512 * 1024;
/** How often something is sent at least, so that proxies keep the connection and the dead show. */
const BEAT_MS = 15_000;
const WAIT_MS = 1_000;
const RETRY_MS = 1_000;

/**
 * The clicks as they come, for everyone who looks: one reader of the events for all viewers, open
 * only while somebody looks. Memory is bounded: the last clicks are kept, and a viewer that is too
 * slow is dropped.
 */
export class LiveFeed {
  readonly #options: Required<LiveFeedOptions>;
  readonly #viewers = new Set<Viewer>();
  /** The viewers that have the last clicks, and get the next ones. */
  readonly #greeted = new WeakSet<Viewer>();
  #open: { readonly stop: AbortController; readonly ready: Promise<void> } | undefined;
  #closing: NodeJS.Timeout | undefined;
  #beat: NodeJS.Timeout | undefined;
  #ring: { readonly id: number; click: FeedClick }[] = [];
  /** Ids are not used again by a later process: its clock has gone on. */
  #lastId = Date.now() * 1000;
  #isAway = false;
  #isClosed = false;

  constructor(options: LiveFeedOptions) {
    this.#options = { maxViewers: 50, lingerMs: 5_000, gatherMs: 100, ...options };
  }

  get viewers(): number {
    return this.#viewers.size;
  }

  /** The last clicks. The first call opens the events, and waits until they can be read. */
  async state(max = RING): Promise<LiveState> {
    await this.#keepOpen();
    this.#closeWhenLeft();
    return {
      clicks: this.#ring.slice(-max).map(({ click }) => this.#limit(click)),
      isAway: this.#isAway,
    };
  }

  /**
   * Sends a viewer what it has not seen of the last clicks, and then every click as it comes.
   * @param lastId what the viewer has seen, as its `Last-Event-ID` says
   * @param begin called at once, unless there are too many viewers
   * @returns lets the viewer go; undefined where there are too many viewers
   */
  async watch(
    viewer: Viewer,
    lastId?: string,
    begin = () => {},
  ): Promise<(() => void) | undefined> {
    if (this.#isClosed || this.#viewers.size >= this.#options.maxViewers) return undefined;
    // Before anything is awaited: a burst of viewers must not pass the limit together.
    const leave = this.#add(viewer);
    begin();
    await this.#keepOpen();
    if (!this.#viewers.has(viewer)) return leave;
    const seen = /^\d{1,16}$/.test(lastId ?? '') ? Number(lastId) : 0;
    const missed = this.#ring.filter(({ id }) => id > seen).map(({ click }) => click);
    const text = this.#clicksText(missed, RING);
    this.#greeted.add(viewer);
    this.#sendTo(viewer, `retry: ${RETRY_MS}\n\n${this.#stateText()}${text}`);
    return leave;
  }

  /** Drops every viewer: those who still may look come again. */
  dropViewers(): void {
    for (const viewer of this.#viewers) viewer.destroy();
    this.#viewers.clear();
    this.#closeWhenLeft();
  }

  /** Ends everything. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.dropViewers();
    this.#stop();
  }

  #add(viewer: Viewer): () => void {
    this.#viewers.add(viewer);
    this.#beat ??= setInterval(() => this.#sendToAll(': beat\n\n'), BEAT_MS).unref();
    return () => {
      this.#viewers.delete(viewer);
      this.#closeWhenLeft();
    };
  }

  /** Opens the events, unless they are open. */
  async #keepOpen(): Promise<void> {
    clearTimeout(this.#closing);
    if (this.#isClosed) return;
    if (this.#open === undefined) {
      const stop = new AbortController();
      const ready = new Promise<void>((resolve) => {
        inBackground('follow the clicks for the live view', () =>
          this.#follow(stop.signal, resolve).finally(resolve),
        );
      });
      this.#open = { stop, ready };
    }
    await this.#open.ready;
  }

  #closeWhenLeft(): void {
    clearTimeout(this.#closing);
    if (this.#viewers.size > 0) return;
    this.#closing = setTimeout(() => this.#stop(), this.#options.lingerMs).unref();
  }

  #stop(): void {
    clearTimeout(this.#closing);
    clearInterval(this.#beat);
    this.#beat = undefined;
    this.#open?.stop.abort();
    this.#open = undefined;
    this.#ring = [];
    this.#isAway = false;
  }

  /** @param ready called when the last clicks are known, or cannot be known now */
  async #follow(stop: AbortSignal, ready: () => void): Promise<void> {
    const { events, logger, gatherMs } = this.#options;
    const reader = events.openReader('newest');
    const close = () => inBackground('close the events', () => reader.close());
    stop.addEventListener('abort', close, { once: true });
    let isBegun = false;
    while (!stop.aborted) {
      try {
        if (!isBegun) {
          // The place to read from is found first, so that no click falls between the two.
          const first = await reader.next(1, 0);
          const recent = await events.recent(RING);
          if (stop.aborted) return;
          this.#take(
            [...recent, ...first].flatMap((event) => readClick(event) ?? []),
            RING,
          );
          isBegun = true;
          ready();
        }
        const clicks = await gather(reader, stop, gatherMs);
        if (stop.aborted) return;
        this.#setAway(false);
        this.#take(clicks, MAX_TOGETHER);
      } catch (error) {
        if (stop.aborted) return;
        logFailure(logger, 'warn', error, 'live view: clicks cannot be read now');
        this.#setAway(true);
        ready();
        await sleep(RETRY_MS, undefined, { signal: stop, ref: false }).catch(() => undefined);
      }
    }
  }

  /** @param most how many of the clicks viewers get */
  #take(clicks: readonly FeedClick[], most: number): void {
    if (clicks.length === 0) return;
    const known = new Set(this.#ring.map(({ click }) => click.shown.event_id));
    const fresh: FeedClick[] = [];
    for (const click of clicks) {
      const { event_id: id } = click.shown;
      if (known.has(id)) continue;
      known.add(id);
      fresh.push(click);
    }
    const reclassified = new Set(fresh.flatMap(({ reclassifies }) => reclassifies));
    const added = fresh.map((click) => asClassified(click, reclassified));
    const before = this.#ring.map(({ id, click }) => ({
      id,
      click: asClassified(click, reclassified),
    }));
    const changed = before.filter(({ click }, at) => click !== this.#ring[at]?.click);
    this.#ring = [...before, ...added.map((click) => ({ id: ++this.#lastId, click }))].slice(-RING);
    const sent = changed.map(({ click }) => click);
    this.#sendToAll(this.#clicksText(added, most, sent));
  }

  #setAway(isAway: boolean): void {
    if (isAway === this.#isAway) return;
    this.#isAway = isAway;
    this.#sendToAll(this.#stateText());
  }

  #stateText(): string {
    return `event: state\ndata: ${JSON.stringify({ is_away: this.#isAway })}\n\n`;
  }

  /**
   * @param most how many of the clicks are sent: of more, the newest
   * @param changed clicks of before, which turned out to be automatic
   */
  #clicksText(
    clicks: readonly FeedClick[],
    most: number,
    changed: readonly FeedClick[] = [],
  ): string {
    if (clicks.length === 0) return '';
    const left = clicks.slice(0, -most);
    const sum = (isAutomatic: boolean) =>
      left
        .filter(({ shown }) => shown.is_automatic === isAutomatic)
        .reduce((total, { count }) => total + count, 0);
    const data = {
      now: Math.floor(Date.now() / 1000),
      clicks: clicks.slice(-most).map((click) => this.#withRow(click)),
      changed: changed.map((click) => this.#withRow(click)),
      left_out: { people: sum(false), automatic: sum(true) },
    };
    // JSON has no line break outside of its texts, where it is escaped.
    return `id: ${this.#lastId}\nevent: clicks\ndata: ${JSON.stringify(data)}\n\n`;
  }

  #withRow(click: FeedClick) {
    const limited = this.#limit(click);
    return { ...limited, row: this.#options.rowOf(limited) };
  }

  #limit(click: FeedClick): LiveClick {
    return limitClick(click, this.#options.detail());
  }

  #sendToAll(text: string): void {
    if (text === '') return;
    for (const viewer of this.#viewers) {
      if (this.#greeted.has(viewer)) this.#sendTo(viewer, text);
    }
  }

  #sendTo(viewer: Viewer, text: string): void {
    if (viewer.writableLength <= MAX_UNREAD) {
      viewer.write(text);
      return;
    }
    this.#viewers.delete(viewer);
    viewer.destroy();
    this.#closeWhenLeft();
  }
}

/** Reads the clicks of a short time, so that a flood of them is sent in few pieces. */
async function gather(
  reader: StreamReader,
  stop: AbortSignal,
  gatherMs: number,
): Promise<readonly FeedClick[]> {
  const clicks: FeedClick[] = [];
  let until = Number.POSITIVE_INFINITY;
  for (let wait = WAIT_MS; !stop.aborted && wait > 0; wait = until - performance.now()) {
    const events = await reader.next(1000, wait).catch((error) => {
      // What was read is shown first; the next call fails again.
      if (clicks.length === 0) throw error;
      return [];
    });
    if (events.length === 0) break;
    until = Math.min(until, performance.now() + gatherMs);
    clicks.push(...events.flatMap((event) => readClick(event) ?? []));
  }
  return clicks;
}

function asClassified(click: FeedClick, reclassified: ReadonlySet<string>): FeedClick {
  if (!reclassified.has(click.shown.event_id)) return click;
  return { ...click, shown: { ...click.shown, is_automatic: true } };
}
