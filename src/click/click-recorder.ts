import { randomUUID } from 'node:crypto';
import { inBackground } from '../lib/background.ts';
import { type Logger, logFailure, silent } from '../lib/logger.ts';
import { type Metrics, noMetrics } from '../lib/metrics.ts';
import type { ClickAppender } from '../store/events.ts';
import {
  type AutomationSettings,
  AutomationSigns,
  burstKey,
  linkKey,
  type ReloadedSettings,
} from './automation.ts';
import type { Click, ClickSink } from './click.ts';
import { ClickEventWriter, EVENT_ENDING, type EventNode } from './click-event.ts';
import { FloodGate, type FloodLimits } from './flood-gate.ts';
import { unattributed } from './unattributed.ts';

export interface RecorderOptions extends EventNode, AutomationSettings {
  /** Where events are kept. */
  readonly events: ClickAppender;
  readonly flood?: FloodLimits;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
}

/**
 * Turns clicks into events and keeps them. Above a rate, repeats on one token become one event with
 * a count.
 */
export class ClickRecorder implements ClickSink {
  readonly #options: RecorderOptions;
  readonly #writer: ClickEventWriter;
  readonly #signs: AutomationSigns;
  readonly #gate: FloodGate;
  readonly #repeats = new Set<Promise<void>>();

  constructor(options: RecorderOptions) {
    this.#options = options;
    options.metrics?.count('clicks_total', { outcome: 'lost', automatic: '' }, 0);
    this.#writer = new ClickEventWriter(options);
    this.#signs = new AutomationSigns(options);
    this.#gate = new FloodGate((click, count) => this.#keepRepeats(click, count), options.flood);
  }

  record(click: Click): Promise<void> {
    return this.#gate.admits(click) ? this.#keep(click, 1) : Promise.resolve();
  }

  headSeen(token: string): void {
    this.#options.events.headSeen(linkKey(token));
  }

  /** Takes over what a reload changes. @throws Error where it cannot be used */
  reload(settings: ReloadedSettings): void {
    this.#signs.reload(settings);
  }

  /** Settles when the repeats that were held back are kept. */
  async close(): Promise<void> {
    this.#gate.close();
    await Promise.allSettled(this.#repeats);
  }

  #keepRepeats(click: Click, count: number): void {
    const { logger = silent, metrics = noMetrics } = this.#options;
    // The caller of `record` learns of other losses, but repeats have no caller any more.
    const kept = this.#keep(click, count).catch((error) => {
      metrics.count('clicks_total', { outcome: 'lost', automatic: '' }, count);
      logFailure(logger, 'error', error, 'clicks lost: they could be kept nowhere', {
        clicks: count,
      });
    });
    this.#repeats.add(kept);
    inBackground('keep repeated clicks', () => kept.finally(() => this.#repeats.delete(kept)));
  }

  async #keep(made: Click, count: number): Promise<void> {
    const { events } = this.#options;
    const click = made.isAnonymous ? unattributed(made) : made;
    const eventId = randomUUID();
    await events.record({
      eventId,
      time: made.time,
      burst: burstKey(made),
      link: linkKey(made.token),
      start: this.#writer.start(click, eventId, count),
      endings: this.#signs.endingsFor(made),
      ...EVENT_ENDING,
    });
  }
}
