import { inBackground } from '../lib/background.ts';
import { firstWithin } from '../lib/first-within.ts';
import { type Logger, logFailure, silent } from '../lib/logger.ts';
import type { Metrics } from '../lib/metrics.ts';
import type { DeadLetterBox, EventConsumer, StoredEvent } from '../store/events.ts';
import { Backoff, BatchDelivery, bytesOf, type WebhookSettings } from './batch-delivery.ts';
import { inOrder } from './post-batch.ts';

export interface WebhookOptions extends WebhookSettings {
  readonly consumer: EventConsumer;
  /** Where events go that cannot be delivered; without it they are lost. */
  readonly deadLetters?: DeadLetterBox;
  /** How long a batch is collected, from its first event on. */
  readonly webhookIntervalMs: number;
  /**
   * Before the second attempt; doubles with each one up to `maxBackoffMs`. Defaults: 1,000 and
   * 300,000 ms.
   */
  readonly backoffMs?: number;
  readonly maxBackoffMs?: number;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
}

/** How long the consumer waits for new events at most. */
const WAIT_MS = 1000;

/**
 * Delivers events in batches to an HTTP server, one batch at a time, until each was accepted.
 * Events that were not acknowledged when the process ended are delivered again by the next one,
 * under the same batch id.
 */
export class Webhook {
  readonly #consumer: EventConsumer;
  readonly #logger: Logger;
  readonly #batchSize: number;
  readonly #intervalMs: number;
  readonly #delivery: BatchDelivery;
  readonly #backoff: Backoff;
  readonly #stopping = new AbortController();
  readonly #cuttingOff = new AbortController();
  readonly #stop = new Promise<[]>((resolve) => {
    this.#stopping.signal.addEventListener('abort', () => resolve([]));
  });
  #loop: Promise<void> | undefined;

  constructor(options: WebhookOptions) {
    this.#consumer = options.consumer;
    this.#logger = options.logger ?? silent;
    this.#batchSize = options.webhookBatchSize;
    this.#intervalMs = options.webhookIntervalMs;
    const { signal: stopped } = this.#stopping;
    this.#backoff = new Backoff(options, stopped);
    this.#delivery = new BatchDelivery({
      ...options,
      backoff: this.#backoff,
      stopped,
      cutOff: this.#cuttingOff.signal,
    });
    loadHttpClient();
  }

  start(): void {
    if (this.#loop !== undefined) return;
    const loop = this.#run();
    this.#loop = loop;
    inBackground('deliver events', () => loop);
  }

  /** Settles when the attempt that is under way has ended; the deadline cuts it off. */
  async close(deadlineMs: number): Promise<void> {
    this.#stopping.abort();
    const deadline = setTimeout(() => this.#cuttingOff.abort(), deadlineMs);
    await this.#loop;
    clearTimeout(deadline);
    await this.#consumer.close();
  }

  async #run(): Promise<void> {
    const consumer = this.#consumer;
    const { signal: stopped } = this.#stopping;
    let failures = 0;
    /** Events that were read and did not fit into the batch before. */
    let carried: readonly StoredEvent[] = [];
    while (!stopped.aborted) {
      try {
        const { maxBytes } = this.#delivery;
        const unfinished =
          carried.length > 0 ? [] : await consumer.unacknowledged(this.#batchSize, maxBytes);
        const read = unfinished.length > 0 ? unfinished : await this.#collect(carried, maxBytes);
        const batch = firstWithin(read, ({ event }) => event, this.#batchSize, maxBytes);
        carried = [];
        if (batch.length === 0 || stopped.aborted) continue;
        await this.#delivery.deliver(inOrder(batch));
        carried = read.slice(batch.length);
        failures = 0;
      } catch (error) {
        carried = [];
        inBackground('report a failed delivery', () =>
          logFailure(this.#logger, 'error', error, 'events could not be read'),
        );
        await this.#backoff.pause(this.#backoff.delay(failures++));
      }
    }
  }

  /**
   * Collects events until there are enough of them, or the first one has waited for long enough.
   * Returns none when no event came for a while, so that the events of consumers that are gone are
   * taken over.
   */
  async #collect(carried: readonly StoredEvent[], maxBytes: number): Promise<StoredEvent[]> {
    const batch = [...carried];
    let bytes = bytesOf(batch);
    const deadline = () => performance.now() + this.#intervalMs;
    let until = batch.length > 0 ? deadline() : Number.POSITIVE_INFINITY;
    while (batch.length < this.#batchSize && bytes < maxBytes && !this.#stopping.signal.aborted) {
      const left = until - performance.now();
      if (left <= 0) break;
      const max = this.#batchSize - batch.length;
      const next = this.#consumer.next(max, Math.min(WAIT_MS, left), maxBytes - bytes);
      // Events of a read that nobody waits for are not acknowledged, and are read again.
      const events = await Promise.race([next, this.#stop]);
      if (batch.length === 0) {
        if (events.length === 0) break;
        until = deadline();
      }
      batch.push(...events);
      bytes += bytesOf(events);
    }
    return batch;
  }
}

/**
 * Makes Node.js load its HTTP client now. Otherwise it does so with the first request, where a
 * distribution packages it as a file of its own that an upgrade may have replaced by then.
 */
function loadHttpClient(): void {
  new Headers();
}
