import { setTimeout as sleep } from 'node:timers/promises';
import { inBackground } from '../lib/background.ts';
import { type Logger, logFailure } from '../lib/logger.ts';
import type { Events, StreamReader } from '../store/events.ts';
import { type FeedClick, readClick } from './live-click.ts';

export interface LiveReaderOptions {
  readonly events: Pick<Events, 'openReader' | 'recent'>;
  readonly logger: Logger;
  /** How long clicks are gathered before they are forwarded together. */
  readonly gatherMs: number;
  /** How many of the clicks before are read first. */
  readonly recent: number;
  /** Gets the clicks before. */
  begin(clicks: readonly FeedClick[]): void;
  /** Gets the clicks as they come. */
  take(clicks: readonly FeedClick[]): void;
  /** Learns that the store answers; or that it does not, and is asked again. */
  setAway(isAway: boolean): void;
}

const WAIT_MS = 1_000;
/** The pause before a store is asked again. */
export const RETRY_MS = 1_000;

/** Reads the last clicks, and then those that come, until it is stopped. */
export async function readClicks(stop: AbortSignal, options: LiveReaderOptions): Promise<void> {
  const { events, logger, gatherMs, recent } = options;
  const reader = events.openReader('newest');
  const close = () => inBackground('close the events', () => reader.close());
  stop.addEventListener('abort', close, { once: true });
  let isBegun = false;
  while (!stop.aborted) {
    try {
      if (!isBegun) {
        // The place to read from is found first, so that no click falls between the two.
        const first = await reader.next(1, 0);
        const before = await events.recent(recent);
        if (stop.aborted) return;
        options.begin([...before, ...first].flatMap((event) => readClick(event) ?? []));
        isBegun = true;
      }
      const clicks = await gather(reader, stop, gatherMs);
      if (stop.aborted) return;
      options.setAway(false);
      options.take(clicks);
    } catch (error) {
      if (stop.aborted) return;
      logFailure(logger, 'warn', error, 'live view: clicks cannot be read now');
      options.setAway(true);
      await sleep(RETRY_MS, undefined, { signal: stop, ref: false }).catch(() => undefined);
    }
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
      // The events read so far are shown first; the next call fails again.
      if (clicks.length === 0) throw error;
      return [];
    });
    if (events.length === 0) break;
    until = Math.min(until, performance.now() + gatherMs);
    clicks.push(...events.flatMap((event) => readClick(event) ?? []));
  }
  return clicks;
}
