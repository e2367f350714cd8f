import { inBackground } from '../lib/background.ts';
import type { Detail } from '../lib/logger.ts';
import { getOrMake } from '../lib/values.ts';
import type { ReportFilter } from '../store/counters.ts';
import { type FeedClick, type LiveClick, letThrough, limitClick } from './live-click.ts';
import { type LiveReaderOptions, RETRY_MS, readClicks } from './live-reader.ts';

export interface LiveFeedOptions extends Pick<LiveReaderOptions, 'events' | 'logger'> {
  /** `log { detail }` as of now. */
  readonly detail: () => Detail;
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

/** The state of the feed: the last clicks, and whether the store answers. */
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

/** The selection of one viewer. */
interface Watch {
  readonly filter: ReportFilter;
  /** Whether it has the last clicks, and gets the next ones. */
  isGreeted: boolean;
}

/**
 * The clicks as they come, for everyone who looks: one reader of the events for all viewers, open
 * only while somebody looks. Memory is bounded: the last clicks are kept, and a viewer that is too
 * slow is dropped.
 */
export class LiveFeed {
  readonly #options: Required<LiveFeedOptions>;
  readonly #viewers = new Map<Viewer, Watch>();
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

  /**
   * Those of the last clicks that a filter lets through. The first call opens the events, and waits
   * until they can be read.
   */
  async state(filter: ReportFilter = {}, max = RING): Promise<LiveState> {
    await this.#keepOpen();
    this.#closeWhenLeft();
    const clicks = this.#in(
      filter,
      this.#ring.map(({ click }) => click),
    );
    return {
      clicks: clicks.slice(-max).map((click) => this.#limit(click)),
      isAway: this.#isAway,
    };
  }

  /**
   * Sends a viewer what it has not seen of the last clicks, and then every click as it comes, if a
   * filter lets it through.
   * @param lastId what the viewer has seen, as its `Last-Event-ID` says
   * @param begin called at once, unless there are too many viewers
   * @returns lets the viewer go; undefined where there are too many viewers
   */
  async watch(
    viewer: Viewer,
    filter: ReportFilter = {},
    lastId = '',
    begin = () => {},
  ): Promise<(() => void) | undefined> {
    if (this.#isClosed || this.#viewers.size >= this.#options.maxViewers) return undefined;
    // Before anything is awaited: a burst of viewers must not pass the limit together.
    const watch = { filter, isGreeted: false };
    const leave = this.#add(viewer, watch);
    begin();
    await this.#keepOpen();
    if (!this.#viewers.has(viewer)) return leave;
    const seen = /^\d{1,16}$/.test(lastId) ? Number(lastId) : 0;
    const missed = this.#ring.filter(({ id }) => id > seen).map(({ click }) => click);
    const text = this.#clicksText(filter, missed, RING);
    watch.isGreeted = true;
    this.#sendTo(viewer, `retry: ${RETRY_MS}\n\n${this.#stateText()}${text}`);
    return leave;
  }

  /** Drops every viewer: those who still may look come again. */
  dropViewers(): void {
    for (const viewer of this.#viewers.keys()) viewer.destroy();
    this.#viewers.clear();
    this.#closeWhenLeft();
  }

  /** Ends everything. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.dropViewers();
    this.#stop();
  }

  #add(viewer: Viewer, watch: Watch): () => void {
    this.#viewers.set(viewer, watch);
    this.#beat ??= setInterval(() => this.#sendToAll(() => ': beat\n\n'), BEAT_MS).unref();
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
  #follow(stop: AbortSignal, ready: () => void): Promise<void> {
    return readClicks(stop, {
      ...this.#options,
      recent: RING,
      begin: (clicks) => {
        this.#take(clicks, RING);
        ready();
      },
      take: (clicks) => this.#take(clicks, MAX_TOGETHER),
      setAway: (isAway) => {
        this.#setAway(isAway);
        if (isAway) ready();
      },
    });
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
    // Many viewers have the same filter, and most have none.
    const texts = new Map<string, string>();
    this.#sendToAll(({ filter }) =>
      getOrMake(texts, JSON.stringify(filter), () => this.#clicksText(filter, added, most, sent)),
    );
  }

  #setAway(isAway: boolean): void {
    if (isAway === this.#isAway) return;
    this.#isAway = isAway;
    this.#sendToAll(() => this.#stateText());
  }

  #stateText(): string {
    return `event: state\ndata: ${JSON.stringify({ is_away: this.#isAway })}\n\n`;
  }

  /**
   * @param come the clicks that came, let through or not
   * @param most how many of those let through are sent: of more, the newest
   * @param reclassified clicks of before, which turned out to be automatic
   */
  #clicksText(
    filter: ReportFilter,
    come: readonly FeedClick[],
    most: number,
    reclassified: readonly FeedClick[] = [],
  ): string {
    const clicks = this.#in(filter, come);
    const changed = this.#in(filter, reclassified);
    if (clicks.length === 0 && changed.length === 0) return '';
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

  #in(filter: ReportFilter, clicks: readonly FeedClick[]): readonly FeedClick[] {
    return clicks.filter(letThrough(filter, this.#options.detail()));
  }

  #sendToAll(textFor: (watch: Watch) => string): void {
    for (const [viewer, watch] of this.#viewers) {
      const text = watch.isGreeted ? textFor(watch) : '';
      if (text !== '') this.#sendTo(viewer, text);
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

function asClassified(click: FeedClick, reclassified: ReadonlySet<string>): FeedClick {
  if (!reclassified.has(click.shown.event_id)) return click;
  return { ...click, shown: { ...click.shown, is_automatic: true } };
}
