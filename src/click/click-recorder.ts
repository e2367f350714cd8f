import { randomUUID } from 'node:crypto';
import { inBackground } from '../lib/background.ts';
import type { ClickCounter } from '../store/counters.ts';
import type { EventAppender } from '../store/events.ts';
import { AutomationSigns } from './automation.ts';
import type { Click, ClickSink } from './click.ts';
import { ClickEventWriter, type EventNode } from './click-event.ts';
import { FloodGate, type FloodLimits } from './flood-gate.ts';

export interface RecorderOptions extends EventNode {
  /** Where events go: the stream with the journal behind it, or the journal. */
  readonly events: EventAppender;
  readonly counter?: ClickCounter;
  /** Clicks within this time of the injection, or of one another, look automatic; milliseconds. */
  readonly automaticWithinMs: number;
  readonly flood?: FloodLimits;
  readonly observer?: RecorderObserver;
}

export interface RecorderObserver {
  /** An event was kept; `clicks` is how many it stands for. */
  recorded?(clicks: number): void;
  /** The repeats of a flood could be kept nowhere. (Of other clicks the caller is told.) */
  repeatsLost?(clicks: number, error: unknown): void;
}

/** Turns clicks into events and hands them on; past a rate, repeats on one token become one event with a count. */
export class ClickRecorder implements ClickSink {
  readonly #options: RecorderOptions;
  readonly #writer: ClickEventWriter;
  readonly #signs: AutomationSigns;
  readonly #gate: FloodGate;
  readonly #repeats = new Set<Promise<void>>();

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#writer = new ClickEventWriter(options);
    this.#signs = new AutomationSigns(options.automaticWithinMs);
    this.#gate = new FloodGate((click, count) => this.#keepRepeats(click, count), options.flood);
  }

  record(click: Click): Promise<void> {
    return this.#gate.lets(click) ? this.#keep(click, 1) : Promise.resolve();
  }

  headSeen(token: string): void {
    this.#signs.headSeen(token);
  }

  /** Settles when the repeats that were held back are kept as well. */
  async close(): Promise<void> {
    this.#gate.close();
    await Promise.allSettled(this.#repeats);
  }

  #keepRepeats(click: Click, count: number): void {
    const kept = this.#keep(click, count).catch((error) =>
      this.#options.observer?.repeatsLost?.(count, error),
    );
    this.#repeats.add(kept);
    inBackground('keep repeated clicks', () => kept.finally(() => this.#repeats.delete(kept)));
  }

  async #keep(click: Click, count: number): Promise<void> {
    const { events, counter, observer } = this.#options;
    const reasons = this.#signs.reasonsFor(click);
    await events.append([this.#writer.write(click, randomUUID(), count, reasons)]);
    // The click is kept: what counts cannot lose it.
    inBackground('count a click', () => counter?.clicked(countedClick(click, count)));
    observer?.recorded?.(count);
  }
}

function countedClick({ time, resolved: { link, message } }: Click, count: number) {
  return {
    day: dayOf(time),
    messageId: message.messageId,
    ...(message.campaignId !== undefined && { campaign: message.campaignId }),
    ...(message.pathway !== undefined && { pathway: message.pathway }),
    link: link.name ?? link.target,
    count,
  };
}

const DAY_MS = 86_400_000;
let today = { number: 0, text: '1970-01-01' };

/** The UTC day of a time, which is that of the click before nearly always. */
function dayOf(time: number): string {
  const number = Math.floor(time / DAY_MS);
  if (number !== today.number) {
    today = { number, text: new Date(time).toISOString().slice(0, 10) };
  }
  return today.text;
}
