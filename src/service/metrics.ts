import {
  AggregatorRegistry,
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from 'prom-client';

/** One process's metrics, as they travel from a worker to the primary (structured clone). */
export type MetricsSnapshot = readonly MetricObjectWithValues<MetricValue<string>>[];

const types = new Set<unknown>(['counter', 'gauge', 'histogram', 'summary']);
const aggregators = new Set<unknown>(['sum', 'first', 'min', 'max', 'average', 'omit', undefined]);

/** Metrics that a worker sent; undefined where they are none. */
export function readSnapshot(value: unknown): MetricsSnapshot | undefined {
  return Array.isArray(value) && value.every(isMetric) ? value : undefined;
}

function isMetric(metric: unknown): boolean {
  if (!isRecord(metric)) return false;
  const { name, help, type, aggregator, values } = metric;
  return (
    typeof name === 'string' &&
    typeof help === 'string' &&
    types.has(type) &&
    aggregators.has(aggregator) &&
    Array.isArray(values) &&
    values.every(isValue)
  );
}

function isValue(one: unknown): boolean {
  if (!isRecord(one) || !isRecord(one['labels'])) return false;
  const labels = Object.values(one['labels']);
  return (
    typeof one['value'] === 'number' &&
    (one['metricName'] === undefined || typeof one['metricName'] === 'string') &&
    labels.every((label) => typeof label === 'string' || typeof label === 'number')
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** What became of one message; words, not sentences: each pair of verdict and reason is a time series. */
export interface MessageObserved {
  /** `tracked`, `untouched`, `failed` … */
  readonly verdict: string;
  /** Why it is not tracked; absent where it is. */
  readonly reason?: string;
  /** From MAIL to the final reply. */
  readonly seconds: number;
  readonly linksTracked: number;
  /** Links left alone, by reason. */
  readonly linksLeftAlone: Iterable<readonly [reason: string, links: number]>;
}

const GAUGES = {
  milter_connections: 'Open connections of MTAs',
  message_bytes: 'Bytes of the messages under way, bounded by max_memory',
  events_undelivered: 'Clicks that wait for delivery',
  events_oldest_undelivered_seconds: 'Age of the oldest click that waits for delivery',
  events_stream_length: 'Clicks in the stream in Redis',
  events_stream_limit: 'Clicks beyond which the oldest of the stream are dropped',
  events_stream_bytes: 'Bytes of the stream in Redis',
  events_stream_limit_bytes: 'Bytes beyond which the oldest clicks of the stream are dropped',
  journal_bytes: 'Bytes of clicks in the journal',
  journal_limit_bytes: 'Bytes beyond which the oldest file of the journal is dropped',
  workers: 'Workers that serve',
} as const;
const STORE_SECONDS = [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.1, 0.25, 1, 2.5];
const MESSAGE_SECONDS = [1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];

/**
 * The metrics of one process. Each series carries the process's slot as the label `worker`, which a
 * successor inherits: to Prometheus the loss of a worker is a counter that starts again, not one that shrinks.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #messages = this.#counter('messages_total', 'Messages seen', ['verdict', 'reason']);
  readonly #links = this.#counter('links_total', 'Links found in messages', ['outcome', 'reason']);
  readonly #storeErrors = this.#counter('store_errors_total', 'Failed store operations', [
    'operation',
  ]);
  readonly #redirects = this.#tally(
    'redirects_total',
    'Answers of the redirect endpoint',
    'status',
  );
  readonly #clicks = this.#tally('clicks_total', 'Clicks on tracked links', 'outcome');
  readonly #deadLetters = this.#counter(
    'events_dead_lettered_total',
    'Clicks that the webhook could not deliver',
    ['reason'],
  );
  readonly #workerEvents = this.#counter('worker_events_total', 'What befell workers', ['event']);
  readonly #messageSeconds = this.#histogram(
    'message_duration_seconds',
    'Time from MAIL to the final reply, with what the sender takes to send',
    [],
    MESSAGE_SECONDS,
  );
  readonly #storeSeconds = this.#histogram(
    'store_duration_seconds',
    'Time of a store operation',
    ['operation'],
    STORE_SECONDS,
  );

  /** @param worker the slot of this process; `main` for the primary, or where it is the only one */
  constructor(worker: string, version: string) {
    this.#registry.setDefaultLabels({ worker });
    collectDefaultMetrics({ register: this.#registry });
    const build = new Gauge({
      name: 'clickmilter_build_info',
      help: 'The version that runs',
      labelNames: ['version'],
      registers: [this.#registry],
    });
    build.set({ version }, 1);
  }

  message(observed: MessageObserved): void {
    this.#messages.inc({ verdict: observed.verdict, reason: observed.reason ?? '' });
    this.#messageSeconds.observe(observed.seconds);
    if (observed.linksTracked > 0) {
      this.#links.inc({ outcome: 'tracked', reason: '' }, observed.linksTracked);
    }
    for (const [reason, links] of observed.linksLeftAlone) {
      this.#links.inc({ outcome: 'left alone', reason }, links);
    }
  }

  /** @param operation `save`, `resolve`, `record` … */
  store(operation: string, seconds: number, failed: boolean): void {
    this.#storeSeconds.observe({ operation }, seconds);
    if (failed) this.#storeErrors.inc({ operation });
  }

  redirect(status: number): void {
    this.#redirects(String(status), 1);
  }

  /** @param reason `refused`, `given up`, or `lost` for those that could not be put aside either */
  deadLetters(reason: string, events: number): void {
    this.#deadLetters.inc({ reason }, events);
  }

  /** In the primary. @param event `died`, `hung`, `too-large`, `overdue` */
  workerEvent(event: string): void {
    this.#workerEvents.inc({ event });
  }

  /** @param kept whether the clicks are safe somewhere */
  click(kept: boolean, clicks = 1): void {
    this.#clicks(kept ? 'kept' : 'lost', clicks);
  }

  /**
   * A value that is read when somebody looks.
   * @param read `undefined` or a rejection where it cannot be known now: the series is absent then, not wrong
   */
  gauge(
    name: keyof typeof GAUGES,
    read: () => number | undefined | Promise<number | undefined>,
  ): void {
    new Gauge({
      name: `clickmilter_${name}`,
      help: GAUGES[name],
      registers: [this.#registry],
      async collect() {
        this.remove();
        try {
          const value = await read();
          if (value !== undefined) this.set(value);
        } catch {
          // absent
        }
      },
    });
  }

  snapshot(): Promise<MetricsSnapshot> {
    return this.#registry.getMetricsAsJSON();
  }

  #counter<Label extends string>(name: string, help: string, labelNames: Label[]): Counter<Label> {
    return new Counter({
      name: `clickmilter_${name}`,
      help,
      labelNames,
      registers: [this.#registry],
    });
  }

  /** A counter with one label that costs next to nothing until somebody looks. */
  #tally(name: string, help: string, label: string): (value: string, count: number) => void {
    const counts = new Map<string, number>();
    new Counter({
      name: `clickmilter_${name}`,
      help,
      labelNames: [label],
      registers: [this.#registry],
      collect() {
        for (const [value, count] of counts) this.inc({ [label]: value }, count);
        counts.clear();
      },
    });
    return (value, count) => counts.set(value, (counts.get(value) ?? 0) + count);
  }

  #histogram<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    buckets: number[],
  ): Histogram<Label> {
    return new Histogram({
      name: `clickmilter_${name}`,
      help,
      labelNames,
      buckets,
      registers: [this.#registry],
    });
  }
}

/**
 * The text Prometheus reads, of one process or of many.
 * @returns body and Content-Type
 */
export async function exposition(
  snapshots: readonly MetricsSnapshot[],
): Promise<{ text: string; contentType: string }> {
  const registry = AggregatorRegistry.aggregate([...snapshots]);
  return { text: await registry.metrics(), contentType: registry.contentType };
}
