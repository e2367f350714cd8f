import { setTimeout as sleep } from 'node:timers/promises';
import { type Logger, logFailure, reasonOf, silent } from '../lib/logger.ts';
import { type Metrics, noMetrics } from '../lib/metrics.ts';
import type { DeadLetterBox, EventConsumer, StoredEvent } from '../store/events.ts';
import { type BatchAnswer, batchId, inOrder, postBatch } from './post-batch.ts';

/** The webhook's options of the `events` stanza. */
export interface WebhookSettings {
  readonly webhook: string;
  readonly webhookToken?: string;
  readonly webhookSecret?: string;
  readonly webhookBatchSize: number;
  /** Bytes of the events in a batch. A single larger event is a batch of its own. */
  readonly webhookBatchBytes: number;
  /** How long one attempt may take. */
  readonly webhookTimeoutMs: number;
  /** How long a batch is tried. */
  readonly webhookRetryForMs: number;
}

export interface BatchDeliveryOptions extends WebhookSettings {
  readonly consumer: EventConsumer;
  readonly deadLetters?: DeadLetterBox;
  readonly backoff: Backoff;
  /** Ends the retries. */
  readonly stopped: AbortSignal;
  /** Ends the attempt that is under way. */
  readonly cutOff: AbortSignal;
  readonly logger?: Logger;
  readonly metrics?: Metrics;
}

/**
 * How long an attempt relies on which events of a batch are still kept. Read again for each part of
 * a refused batch, the batch would be read as often as it has events.
 */
const KEPT_MS = 1000;
/** So many refused events in a row: the server is at fault, not the events. */
const MAX_REFUSED_IN_A_ROW = 10;

type Failure = Extract<BatchAnswer, { delivered: false }>;

/** The result of one attempt at a batch, and at its parts where the server refuses it. */
interface Outcome {
  delivered: number;
  /** Events of the batch that are delivered or dead letters, in earlier attempts too. */
  readonly settled: StoredEvent[];
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
 * Delivers one batch, with retries. A batch that the server refuses for good is split until the
 * events that it refuses are alone; these become dead letters.
 */
export class BatchDelivery {
  readonly #options: BatchDeliveryOptions;
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  #maxBytes: number;
  /** The events of the batch that are still kept, and when they are to be read again. */
  #kept: { readonly ids: ReadonlySet<string>; until: number } = { ids: new Set(), until: 0 };
  /** Dead letters since the server last accepted an event. */
  #refusedInARow = 0;

  constructor(options: BatchDeliveryOptions) {
    this.#options = options;
    this.#logger = options.logger ?? silent;
    this.#metrics = options.metrics ?? noMetrics;
    for (const reason of ['refused', 'given up']) {
      this.#metrics.count('events_dead_lettered_total', { reason }, 0);
    }
    this.#maxBytes = options.webhookBatchBytes;
  }

  /** Bytes of a batch: fewer than configured while the server says that batches are too large. */
  get maxBytes(): number {
    return this.#maxBytes;
  }

  /**
   * Settles when every event is delivered, a dead letter, or not ours any more, or when deliveries
   * are stopped. Only the first two are acknowledged: what another host took over while this one
   * was suspended is for that host to acknowledge.
   */
  async deliver(batch: readonly StoredEvent[]): Promise<void> {
    const { consumer, webhookRetryForMs, backoff, stopped } = this.#options;
    const giveUpAt = performance.now() + webhookRetryForMs;
    const settled: StoredEvent[] = [];
    let left = batch;
    for (let attempt = 0; !stopped.aborted; attempt++) {
      const outcome: Outcome = { delivered: 0, settled, refused: [], left: [] };
      this.#kept.until = 0;
      await this.#attempt(left, outcome);
      left = await this.#settleRefused(outcome);
      const { reason = '', retryAfterMs = 0 } = outcome.stop ?? {};
      const leftMs = giveUpAt - performance.now();
      if (left.length > 0 && leftMs <= 0) {
        this.#kept.until = 0;
        const unkept = await this.#putAside(left, `given up: ${reason}`, 'given up', settled);
        if (unkept === undefined) left = [];
      }
      if (left.length === 0) return consumer.acknowledge(settled);
      const pauseMs = Math.max(backoff.delay(attempt), retryAfterMs);
      // The server may delay the last attempt, but not prevent it.
      const delayMs = leftMs > 0 ? Math.min(pauseMs, leftMs) : pauseMs;
      this.#logger.warn({ batch: batchId(left), reason, delayMs }, 'events not delivered yet');
      await backoff.pause(delayMs);
    }
  }

  /** Tries a batch, and where it is refused its halves, until only single events are refused. */
  async #attempt(events: readonly StoredEvent[], outcome: Outcome): Promise<void> {
    if (outcome.stop !== undefined || this.#options.stopped.aborted) {
      outcome.left.push(...events);
      return;
    }
    const { answer, sent } = await this.#post(events);
    if (answer.delivered) {
      outcome.delivered += sent.length;
      outcome.settled.push(...sent);
      if (sent.length > 0) this.#accepted(batchId(events), sent.length);
    } else if (!isRefusal(answer)) {
      outcome.stop = answer;
      outcome.left.push(...sent);
    } else if (sent.length > 1) {
      if (answer.status === 413) this.#maxBytes = Math.ceil(bytesOf(sent) / 2);
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

  #accepted(batch: string, events: number): void {
    this.#refusedInARow = 0;
    this.#maxBytes = Math.min(this.#options.webhookBatchBytes, Math.ceil(this.#maxBytes * 1.1));
    this.#logger.info({ batch, events }, 'events delivered');
  }

  /**
   * Makes refused events dead letters, unless the server seems to be at fault: it accepts no other
   * event, and refuses many, or for a reason that does not concern an event.
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
    // This host may have been suspended during the attempt.
    this.#kept.until = 0;
    const again: StoredEvent[] = [];
    for (const { event, answer, early } of refused) {
      // The server may have recovered since.
      const last = early && delivered > 0 ? await this.#postAgain(event, outcome) : answer;
      if (last.delivered) continue;
      const problem = isRefusal(last)
        ? await this.#putAside([event], last.reason, 'refused', outcome.settled)
        : last;
      if (problem !== undefined) {
        outcome.stop ??= problem;
        again.push(event);
      } else if (delivered === 0) {
        this.#refusedInARow++;
      }
    }
    return inOrder([...again, ...left]);
  }

  async #postAgain(event: StoredEvent, { settled }: Outcome): Promise<BatchAnswer> {
    const { answer, sent } = await this.#post([event]);
    if (answer.delivered) settled.push(...sent);
    return answer;
  }

  /**
   * Makes events dead letters, if they are still ours.
   * @returns why they are to be tried again: on a full disk none can be written
   */
  async #putAside(
    events: readonly StoredEvent[],
    reason: string,
    why: 'refused' | 'given up',
    settled: StoredEvent[],
  ): Promise<Failure | undefined> {
    const { deadLetters } = this.#options;
    const path = deadLetters?.path;
    try {
      const own = await this.#stillKept(events);
      if (own.length === 0) return undefined;
      const texts = own.map(({ event }) => event);
      await deadLetters?.add(texts, reason);
      settled.push(...own);
      this.#metrics.count('events_dead_lettered_total', { reason: why }, own.length);
      const message =
        why === 'refused'
          ? 'the webhook refuses an event: put aside'
          : 'events given up: put aside';
      const fields = { batch: batchId(own), events: own.length, path };
      logFailure(this.#logger, 'error', reason, message, fields);
      return undefined;
    } catch (error) {
      const message = 'events could not be put aside: tried again';
      logFailure(this.#logger, 'error', error, message, { events: events.length, path });
      return { delivered: false, reason: reasonOf(error) };
    }
  }

  /**
   * Posts the events that are still kept: a recipient may have been forgotten since they were read.
   */
  async #post(
    events: readonly StoredEvent[],
  ): Promise<{ answer: BatchAnswer; sent: readonly StoredEvent[] }> {
    const id = batchId(events);
    try {
      const sent = await this.#stillKept(events);
      if (sent.length < events.length) {
        this.#logger.warn(
          { batch: id, events: events.length - sent.length },
          'events left out of a batch: forgotten, dropped to make room, or in a file that cannot be read now',
        );
      }
      if (sent.length === 0) return { answer: { delivered: true }, sent };
      const answer = await postBatch({
        ...this.#options,
        id,
        events: sent,
        signal: this.#options.cutOff,
      });
      return { answer, sent };
    } catch (error) {
      return { answer: { delivered: false, reason: reasonOf(error) }, sent: events };
    }
  }

  async #stillKept(events: readonly StoredEvent[]): Promise<readonly StoredEvent[]> {
    if (performance.now() >= this.#kept.until) {
      const { consumer, webhookBatchSize, webhookBatchBytes } = this.#options;
      const kept = await consumer.unacknowledged(webhookBatchSize, webhookBatchBytes);
      const ids = new Set(kept.map(({ id }) => id));
      this.#kept = { ids, until: performance.now() + KEPT_MS };
    }
    return events.filter(({ id }) => this.#kept.ids.has(id));
  }
}

/** The pauses between attempts, which double with each one. */
export class Backoff {
  readonly #firstMs: number;
  readonly #maxMs: number;
  readonly #stopped: AbortSignal;

  /** @param stopped ends a pause */
  constructor(
    {
      backoffMs = 1000,
      maxBackoffMs = 300_000,
    }: { readonly backoffMs?: number; readonly maxBackoffMs?: number },
    stopped: AbortSignal,
  ) {
    this.#firstMs = backoffMs;
    this.#maxMs = maxBackoffMs;
    this.#stopped = stopped;
  }

  /**
   * A random time between half and all of the pause, so that many senders do not return at the same
   * moment.
   */
  delay(attempt: number): number {
    const delay = Math.min(this.#firstMs * 2 ** Math.min(attempt, 20), this.#maxMs);
    return delay * (0.5 + Math.random() / 2);
  }

  async pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopped }).catch(() => undefined);
  }
}

/** Bytes of a batch, without its brackets. */
export function bytesOf(events: readonly StoredEvent[]): number {
  return events.reduce((sum, { event }) => sum + Buffer.byteLength(event) + 1, 0);
}

/** Whether the server will not accept the same batch later either. */
function isRefusal({ status = 0 }: Failure): boolean {
  return status >= 400 && status < 500 && ![408, 425, 429].includes(status);
}

/** Whether a refusal is mostly about the URL, the token or the server, and not about the events. */
function isAboutServer({ status = 0 }: Failure): boolean {
  return [401, 402, 403, 404, 405, 407, 410, 421, 451].includes(status);
}
