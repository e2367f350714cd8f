import { setTimeout as sleep } from 'node:timers/promises';
import { inBackground } from '../lib/background.ts';
import { type EventConsumer, firstWithin, type StoredEvent } from '../store/events.ts';
import { type BatchAnswer, batchId, inOrder, postBatch, reasonOf } from './webhook-batch.ts';

export interface WebhookOptions {
  readonly consumer: EventConsumer;
  readonly url: string;
  /** For the header X-MessageSystems-Webhook-Token. */
  readonly token?: string;
  /** Key of the signature header. */
  readonly secret?: string;
  /** Where events go that cannot be delivered; without it they are lost. */
  readonly deadLetters?: { add(events: readonly string[], reason: string): Promise<void> };
  /** Events in one batch; default 10,000, as Momentum's. */
  readonly batchSize?: number;
  /** Bytes of the events in one batch; default 512 KiB. A single larger event is a batch of its own. */
  readonly batchBytes?: number;
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
  /** The server refuses these events; they are put aside. */
  refused?(events: number, reason: string): void;
  /** The time for retries is over; these events are put aside. */
  gaveUp?(batch: string, events: number): void;
  /** Events could not be put aside: they are lost. */
  lost?(events: number, error: unknown): void;
  /** The stream or the journal could not be read; it is tried again. */
  failed?(error: unknown): void;
}

/** How long one look for new events takes at most. */
const LOOK_MS = 1000;
/** So many refused events with none accepted in between: the fault is the server's, not that of the events. */
const MAX_REFUSED_IN_A_ROW = 10;

type Failure = Extract<BatchAnswer, { delivered: false }>;

/** What one attempt at a batch, and at its parts where the server refuses it, has come to. */
interface Outcome {
  delivered: number;
  /** Events that the server refuses one by one. */
  readonly refused: {
    readonly event: StoredEvent;
    readonly answer: Failure;
    /** Refused before any other event was accepted. */
    readonly early: boolean;
  }[];
  /** Events to be tried again. */
  readonly left: StoredEvent[];
  /** Why the attempt ended before all parts were tried. */
  stop?: Failure;
}

/**
 * Delivers events in batches to an HTTP server, one batch at a time, until each was taken. What was
 * not acknowledged when the process ended is delivered again by the next one, under the same batch id.
 *
 * A batch that the server refuses for good is split until the events that it refuses are alone; these are put aside.
 */
export class Webhook {
  readonly #options: WebhookOptions;
  readonly #batchSize: number;
  readonly #batchBytes: number;
  /** The bound in use: smaller while the server says that batches are too large. */
  #bytes: number;
  /** Events put aside since the server last accepted one. */
  #refusedInARow = 0;
  readonly #stopping = new AbortController();
  readonly #cuttingOff = new AbortController();
  readonly #stop = new Promise<[]>((resolve) => {
    this.#stopping.signal.addEventListener('abort', () => resolve([]));
  });
  #loop: Promise<void> | undefined;

  constructor(options: WebhookOptions) {
    this.#options = options;
    this.#batchSize = options.batchSize ?? 10_000;
    this.#batchBytes = options.batchBytes ?? 512 * 1024;
    this.#bytes = this.#batchBytes;
    loadHttpClient();
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
    const { consumer, observer } = this.#options;
    let failures = 0;
    /** Events that were read and did not fit into the batch before. */
    let carried: readonly StoredEvent[] = [];
    while (!this.#stopped) {
      try {
        const unfinished =
          carried.length > 0 ? [] : await consumer.unacknowledged(this.#batchSize, this.#bytes);
        const read = unfinished.length > 0 ? unfinished : await this.#collect(carried);
        const batch = firstWithin(read, ({ event }) => event, this.#batchSize, this.#bytes);
        carried = [];
        if (batch.length === 0 || this.#stopped) continue;
        await this.#deliver(inOrder(batch));
        carried = read.slice(batch.length);
        failures = 0;
      } catch (error) {
        carried = [];
        inBackground('report a failed delivery', () => observer?.failed?.(error));
        await this.#pause(this.#backoff(failures++));
      }
    }
  }

  /**
   * Events until there are enough of them, or the first one has waited for long enough. None when nothing
   * came for a while: then it is time to look after consumers that are gone.
   */
  async #collect(carried: readonly StoredEvent[]): Promise<StoredEvent[]> {
    const { consumer, intervalMs = 30_000 } = this.#options;
    const batch = [...carried];
    let bytes = sizeOf(batch);
    let until = performance.now() + (batch.length > 0 ? intervalMs : Number.POSITIVE_INFINITY);
    while (batch.length < this.#batchSize && bytes < this.#bytes && !this.#stopped) {
      const left = until - performance.now();
      if (left <= 0) break;
      const max = this.#batchSize - batch.length;
      const look = consumer.next(max, Math.min(LOOK_MS, left), this.#bytes - bytes);
      // What a look that is not waited for finds is not acknowledged: it is found again.
      const events = await Promise.race([look, this.#stop]);
      if (batch.length === 0) {
        if (events.length === 0) break;
        until = performance.now() + intervalMs;
      }
      batch.push(...events);
      bytes += sizeOf(events);
    }
    return batch;
  }

  /** Settles when all events are done with, or the webhook is stopped. */
  async #deliver(batch: readonly StoredEvent[]): Promise<void> {
    const { consumer, retryForMs = 8 * 3_600_000, observer } = this.#options;
    const giveUpAt = performance.now() + retryForMs;
    let left = batch;
    for (let attempt = 0; !this.#stopped; attempt++) {
      const outcome: Outcome = { delivered: 0, refused: [], left: [] };
      await this.#attempt(left, outcome);
      left = await this.#settleRefused(outcome);
      if (left.length === 0) return consumer.acknowledge(batch);
      const { stop } = outcome;
      const id = batchId(left);
      const leftMs = giveUpAt - performance.now();
      if (leftMs <= 0) {
        observer?.gaveUp?.(id, left.length);
        await this.#putAside(left, `given up: ${stop?.reason}`);
        return consumer.acknowledge(batch);
      }
      // No server decides that its last chance goes by.
      const delayMs = Math.min(Math.max(this.#backoff(attempt), stop?.retryAfterMs ?? 0), leftMs);
      observer?.retrying?.(id, stop?.reason ?? '', delayMs);
      await this.#pause(delayMs);
    }
  }

  /** Tries a batch, and where it is refused its halves, until only single events are refused. */
  async #attempt(events: readonly StoredEvent[], outcome: Outcome): Promise<void> {
    if (outcome.stop !== undefined || this.#stopped) {
      outcome.left.push(...events);
      return;
    }
    const { answer, sent } = await this.#post(events);
    if (answer.delivered) {
      outcome.delivered += sent.length;
      if (sent.length > 0) this.#accepted(batchId(events), sent.length);
    } else if (!isRefusal(answer)) {
      outcome.stop = answer;
      outcome.left.push(...sent);
    } else if (sent.length > 1) {
      if (answer.status === 413) this.#bytes = Math.ceil(sizeOf(sent) / 2);
      const half = Math.ceil(sent.length / 2);
      await this.#attempt(sent.slice(0, half), outcome);
      await this.#attempt(sent.slice(half), outcome);
    } else {
      const early = outcome.delivered === 0;
      for (const event of sent) outcome.refused.push({ event, answer, early });
      const inARow = this.#refusedInARow + outcome.refused.length;
      if (outcome.delivered === 0 && inARow >= MAX_REFUSED_IN_A_ROW) outcome.stop = answer;
    }
  }

  #accepted(id: string, events: number): void {
    this.#refusedInARow = 0;
    this.#bytes = Math.min(this.#batchBytes, Math.ceil(this.#bytes * 1.1));
    this.#options.observer?.delivered?.(id, events);
  }

  /**
   * Puts refused events aside, unless it seems to be the server's fault: it accepts no others, and refuses many, or
   * for a reason that is none of an event.
   * @returns the events that are still to be delivered
   */
  async #settleRefused(outcome: Outcome): Promise<readonly StoredEvent[]> {
    const { delivered, refused, left } = outcome;
    const [first] = refused;
    if (first === undefined) return left;
    const inARow = this.#refusedInARow + refused.length;
    const isServersFault =
      inARow >= MAX_REFUSED_IN_A_ROW || refused.some(({ answer }) => isAboutServer(answer));
    if (delivered === 0 && isServersFault) {
      outcome.stop ??= first.answer;
      return inOrder([...refused.map(({ event }) => event), ...left]);
    }
    if (delivered === 0) this.#refusedInARow = inARow;
    const again: StoredEvent[] = [];
    for (const { event, answer, early } of refused) {
      // The server may have recovered only then.
      const last = early && delivered > 0 ? (await this.#post([event])).answer : answer;
      if (last.delivered) continue;
      if (!isRefusal(last)) {
        outcome.stop ??= last;
        again.push(event);
        continue;
      }
      this.#options.observer?.refused?.(1, last.reason);
      await this.#putAside([event], last.reason);
    }
    return inOrder([...again, ...left]);
  }

  async #putAside(events: readonly StoredEvent[], reason: string): Promise<void> {
    const { deadLetters, observer } = this.#options;
    const texts = events.map(({ event }) => event);
    await deadLetters?.add(texts, reason).catch((error) => observer?.lost?.(events.length, error));
  }

  /** Sends what is still kept: who was forgotten since the batch was collected, or tried before, is not delivered any more. */
  async #post(
    events: readonly StoredEvent[],
  ): Promise<{ answer: BatchAnswer; sent: readonly StoredEvent[] }> {
    const { timeoutMs = 30_000, observer } = this.#options;
    const { signal } = this.#cuttingOff;
    const id = batchId(events);
    try {
      const sent = await this.#stillKept(events);
      if (sent.length < events.length) observer?.leftOut?.(id, events.length - sent.length);
      if (sent.length === 0) return { answer: { delivered: true }, sent };
      const answer = await postBatch({ ...this.#options, id, events: sent, timeoutMs, signal });
      return { answer, sent };
    } catch (error) {
      return { answer: { delivered: false, reason: reasonOf(error) }, sent: events };
    }
  }

  async #stillKept(events: readonly StoredEvent[]): Promise<readonly StoredEvent[]> {
    const unacknowledged = await this.#options.consumer.unacknowledged(
      this.#batchSize,
      this.#batchBytes,
    );
    const kept = new Set(unacknowledged.map(({ id }) => id));
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

function sizeOf(events: readonly StoredEvent[]): number {
  return events.reduce((sum, { event }) => sum + Buffer.byteLength(event) + 1, 0);
}

/** Whether the same batch will not be accepted later either. */
function isRefusal({ status = 0 }: Failure): boolean {
  return status >= 400 && status < 500 && ![408, 425, 429].includes(status);
}

/** Whether a refusal is mostly about the URL, the token or the server, and not about what is sent. */
function isAboutServer({ status = 0 }: Failure): boolean {
  return [401, 402, 403, 404, 405, 407, 410, 421, 451].includes(status);
}

/**
 * Makes Node.js load its HTTP client now. It does so at the first request, from a file where a distribution packages it
 * like that, and an upgrade may have replaced that file by then.
 */
function loadHttpClient(): void {
  new Headers();
}
