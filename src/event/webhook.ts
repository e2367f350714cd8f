import { setTimeout as sleep } from 'node:timers/promises';
import { inBackground } from '../lib/background.ts';
import type { EventConsumer, StoredEvent } from '../link/event-stream.ts';
import { type BatchAnswer, batchId, inOrder, postBatch, reasonOf } from './webhook-batch.ts';

export interface WebhookOptions {
  readonly consumer: EventConsumer;
  readonly url: string;
  /** For the header X-MessageSystems-Webhook-Token. */
  readonly token?: string;
  /** Key of the signature header. */
  readonly secret?: string;
  /** Events in one batch; default 10,000, as Momentum's. */
  readonly batchSize?: number;
  /** How long a batch is collected, from its first event on; default 30,000 ms. */
  readonly intervalMs?: number;
  /** How long one attempt may take; default 30,000 ms. */
  readonly timeoutMs?: number;
  /** How long a batch is tried; default 8 hours. */
  readonly retryForMs?: number;
  /** Before the second attempt; doubles with each one up to `maxBackoffMs`. Defaults: 1,000 and 300,000 ms. */
  readonly backoffMs?: number;
  readonly maxBackoffMs?: number;
  readonly observer?: WebhookObserver;
}

export interface WebhookObserver {
  delivered?(batch: string, events: number): void;
  /** An attempt failed for this reason; the next one is made after the delay. */
  retrying?(batch: string, reason: string, delayMs: number): void;
  /** Events were left out of an attempt: they are not kept any more, or cannot be read at the moment. */
  leftOut?(batch: string, events: number): void;
  /** The time for retries is over; these events will not be delivered. */
  gaveUp?(batch: string, events: number): void;
  /** The stream or the journal could not be read; it is tried again. */
  failed?(error: unknown): void;
}

/** How long one look for new events takes at most. */
const LOOK_MS = 1000;

/**
 * Delivers events in batches to an HTTP server, one batch at a time, until each was taken. What was
 * not acknowledged when the process ended is delivered again by the next one, under the same batch id.
 */
export class Webhook {
  readonly #options: WebhookOptions;
  readonly #stopping = new AbortController();
  readonly #cuttingOff = new AbortController();
  readonly #stop = new Promise<[]>((resolve) => {
    this.#stopping.signal.addEventListener('abort', () => resolve([]));
  });
  #loop: Promise<void> | undefined;

  constructor(options: WebhookOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#loop !== undefined) return;
    const loop = this.#run();
    this.#loop = loop;
    inBackground('deliver events', () => loop);
  }

  /** Settles when an attempt that is under way has ended, which is cut off at the deadline. */
  async close(deadlineMs: number): Promise<void> {
    this.#stopping.abort();
    const deadline = setTimeout(() => this.#cuttingOff.abort(), deadlineMs);
    await this.#loop;
    clearTimeout(deadline);
    await this.#options.consumer.close();
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #run(): Promise<void> {
    const { consumer, batchSize = 10_000, backoffMs = 1000, observer } = this.#options;
    while (!this.#stopped) {
      try {
        const left = await consumer.unacknowledged(batchSize);
        const batch = left.length > 0 ? left : await this.#collect(batchSize);
        if (batch.length === 0 || this.#stopped) continue;
        const done = await this.#deliver(inOrder(batch));
        if (done.length > 0) await consumer.acknowledge(done);
      } catch (error) {
        inBackground('report a failed delivery', () => observer?.failed?.(error));
        await this.#pause(backoffMs);
      }
    }
  }

  /**
   * Events until there are enough of them, or the first one has waited for long enough. None when nothing
   * came for a while: then it is time to look after consumers that are gone.
   */
  async #collect(batchSize: number): Promise<StoredEvent[]> {
    const { consumer, intervalMs = 30_000 } = this.#options;
    const batch: StoredEvent[] = [];
    let until = Number.POSITIVE_INFINITY;
    while (batch.length < batchSize && !this.#stopped) {
      const left = until - performance.now();
      if (left <= 0) break;
      const look = consumer.next(batchSize - batch.length, Math.min(LOOK_MS, left));
      // What a look that is not waited for finds is not acknowledged: it is found again.
      const events = await Promise.race([look, this.#stop]);
      if (batch.length === 0) {
        if (events.length === 0) break;
        until = performance.now() + intervalMs;
      }
      batch.push(...events);
    }
    return batch;
  }

  /** @returns the events that are done with: delivered, or given up */
  async #deliver(events: readonly StoredEvent[]): Promise<readonly StoredEvent[]> {
    const { retryForMs = 8 * 3_600_000, observer } = this.#options;
    const id = batchId(events);
    const giveUpAt = performance.now() + retryForMs;
    let left = events.length;
    for (let attempt = 0; !this.#stopped; attempt++) {
      const { answer, sent } = await this.#attempt(id, events);
      if (sent.length < left) observer?.leftOut?.(id, left - sent.length);
      left = Math.min(left, sent.length);
      if (answer.delivered) {
        if (sent.length > 0) observer?.delivered?.(id, sent.length);
        return sent;
      }
      const leftMs = giveUpAt - performance.now();
      if (leftMs <= 0) {
        observer?.gaveUp?.(id, sent.length);
        return events;
      }
      // No server decides that its last chance goes by.
      const delayMs = Math.min(Math.max(this.#backoff(attempt), answer.retryAfterMs ?? 0), leftMs);
      observer?.retrying?.(id, answer.reason, delayMs);
      await this.#pause(delayMs);
    }
    return [];
  }

  /** Sends what is still kept: who was forgotten since the batch was collected, or tried before, is not delivered any more. */
  async #attempt(
    id: string,
    events: readonly StoredEvent[],
  ): Promise<{ answer: BatchAnswer; sent: readonly StoredEvent[] }> {
    const { timeoutMs = 30_000 } = this.#options;
    const { signal } = this.#cuttingOff;
    try {
      const sent = await this.#stillKept(events);
      if (sent.length === 0) return { answer: { delivered: true }, sent };
      const answer = await postBatch({ ...this.#options, id, events: sent, timeoutMs, signal });
      return { answer, sent };
    } catch (error) {
      return { answer: { delivered: false, reason: reasonOf(error) }, sent: events };
    }
  }

  async #stillKept(events: readonly StoredEvent[]): Promise<readonly StoredEvent[]> {
    const { consumer, batchSize = 10_000 } = this.#options;
    const kept = new Set((await consumer.unacknowledged(batchSize)).map(({ id }) => id));
    return events.filter(({ id }) => kept.has(id));
  }

  /** Between half and all of it, so that many senders do not come back at the same moment. */
  #backoff(attempt: number): number {
    const { backoffMs = 1000, maxBackoffMs = 300_000 } = this.#options;
    const delay = Math.min(backoffMs * 2 ** Math.min(attempt, 20), maxBackoffMs);
    return delay * (0.5 + Math.random() / 2);
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }
}
