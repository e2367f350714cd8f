import type { ClickSink } from '../click/click.ts';
import { ClickRecorder } from '../click/click-recorder.ts';
import type { Configuration } from '../config/configuration.ts';
import type { Logger } from '../lib/logger.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { Store } from '../store/store.ts';

/** Where the redirect endpoint sends clicks. */
export interface Clicks extends ClickSink {
  close(): Promise<void>;
}

/** Opens the store's events for clicks. */
export async function openClicks(
  { events }: Configuration,
  store: Store,
  logger: Logger,
  metrics: Metrics,
): Promise<Clicks> {
  const appender = await store.events.openAppender();
  const { counters: counter } = store;
  const recorder = new ClickRecorder({ ...events, events: appender, counter, logger, metrics });
  return {
    record: (click) => recorder.record(click),
    headSeen: (token) => recorder.headSeen(token),
    async close() {
      await recorder.close();
      await appender.close();
    },
  };
}
