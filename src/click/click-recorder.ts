import { randomUUID } from 'node:crypto';
import { inBackground } from '../lib/background.ts';
import { type Logger, logFailure, silent } from '../lib/logger.ts';
import { type Metrics, noMetrics } from '../lib/metrics.ts';
import { countedFacts } from '../link/counted.ts';
import type { ClickAppender, ClickCounter, CountedClick } from '../store/store.ts';
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
  readonly counter?: ClickCounter;
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
    const { events, counter, metrics = noMetrics } = this.#options;
    const click = made.isAnonymous ? unattributed(made) : made;
    const eventId = randomUUID();
    const endings = this.#signs.endingsFor(made);
    await events.record({
      eventId,
      time: made.time,
      burst: burstKey(made),
      link: linkKey(made.token),
      start: this.#writer.start(click, eventId, count),
      endings,
      ...EVENT_ENDING,
    });
    const by = endings[0]?.kind === 'person' ? 'people' : 'automatic';
    // The click is kept: a failing counter must not lose it.
    inBackground('count a click', () => counter?.book(countedClick(click, count), by));
    const automatic = String(by === 'automatic');
    const campaign = click.resolved.message.campaignId ?? '';
    metrics.count('clicks_total', { outcome: 'kept', automatic }, count);
    metrics.count('campaign_clicks_total', { campaign, automatic }, count);
  }
}

function countedClick({ time, resolved }: Click, count: number): CountedClick {
  const { link, message, position } = resolved;
  return {
    ...countedFacts(message),
    time,
    messageId: message.messageId,
    link: link.name ?? link.target,
    part: link.part,
    ...(position !== undefined && { position }),
    count,
  };
}
