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
import { DAY_MS } from '../lib/days.ts';
import { type Definition, definitions, type MetricName, type Metrics } from '../lib/metrics.ts';
import { isRecord } from '../lib/values.ts';

/** The metrics of one process, as a worker sends them to the primary (structured clone). */
export type MetricsSnapshot = readonly MetricObjectWithValues<MetricValue<string>>[];

const types = new Set<unknown>(['counter', 'gauge', 'histogram', 'summary']);
const aggregators = new Set<unknown>(['sum', 'first', 'min', 'max', 'average', 'omit', undefined]);

/** The metrics that a worker sent; undefined for anything else. */
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

type Labels = Readonly<Record<string, string>>;

/**
 * The metrics of one process, kept with prom-client. Each series carries the process's slot as the
 * label `worker`, which a successor inherits: to Prometheus the loss of a worker is a counter that
 * starts again, not one that shrinks.
 */
export class ProcessMetrics implements Metrics {
  readonly #registry = new Registry();
  readonly #counts = new Map<MetricName, CountsOf>();
  readonly #histograms = new Map<MetricName, Histogram>();

  /** @param worker the slot of this process; `main` for the primary, or where it is the only one */
  constructor(worker: string, version: string) {
    const registers = [this.#registry];
    this.#registry.setDefaultLabels({ worker });
    collectDefaultMetrics({ register: this.#registry });
    for (const [name, definition] of Object.entries(definitions) as [MetricName, Definition][]) {
      const { help, labels, buckets } = definition;
      const described = { name: `clickmilter_${name}`, help, labelNames: [...labels], registers };
      if (definition.type === 'counter')
        this.#counts.set(name, new CountsOf(described, definition.mostPerDay));
      if (buckets !== undefined) {
        this.#histograms.set(name, new Histogram({ ...described, buckets: [...buckets] }));
      }
    }
    const help = 'The version that runs';
    const described = { name: 'clickmilter_build_info', help, labelNames: ['version'], registers };
    new Gauge(described).set({ version }, 1);
  }

  count(name: MetricName, labels: Labels, by = 1): void {
    this.#counts.get(name)?.add(labels, by);
  }

  observe(name: MetricName, labels: Labels, value: number): void {
    this.#histograms.get(name)?.observe(labels, value);
  }

  gauge(name: MetricName, read: () => number | undefined | Promise<number | undefined>): void {
    new Gauge({
      name: `clickmilter_${name}`,
      help: definitions[name].help,
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
}

/** Characters of a label's value that comes from outside. */
const MAX_VALUE = 100;

/**
 * The counts of one counter. prom-client gets them when Prometheus asks, so that counting costs
 * next to nothing.
 */
class CountsOf {
  readonly #counter: Counter;
  readonly #mostPerDay: number | undefined;
  readonly #counts = new Map<string, { readonly labels: Labels; by: number }>();
  /** The values that the first label has had today, where their number is bounded. */
  readonly #values = new Set<string>();
  #day = 0;

  constructor(described: ConstructorParameters<typeof Counter>[0], mostPerDay?: number) {
    this.#counter = new Counter({ ...described, collect: () => this.#collect() });
    this.#mostPerDay = mostPerDay;
  }

  add(labels: Labels, by: number): void {
    const most = this.#mostPerDay;
    const counted = most === undefined ? labels : this.#bounded(labels, most);
    const series = Object.values(counted).join('\0');
    const count = this.#counts.get(series);
    if (count === undefined) this.#counts.set(series, { labels: counted, by });
    else count.by += by;
  }

  #collect(): void {
    if (this.#mostPerDay !== undefined) this.#beginDay();
    for (const { labels, by } of this.#counts.values()) this.#counter.inc(labels, by);
    this.#counts.clear();
  }

  #bounded(labels: Labels, most: number): Labels {
    this.#beginDay();
    const [[label, text] = ['', '']] = Object.entries(labels);
    const value = text === '' ? '(none)' : text.slice(0, MAX_VALUE);
    const isKnown = this.#values.has(value);
    if (!isKnown && this.#values.size >= most) return { ...labels, [label]: '(other)' };
    if (!isKnown) this.#values.add(value);
    return { ...labels, [label]: value };
  }

  /** Each day begins without series: to Prometheus, the counters of a process that starts. */
  #beginDay(): void {
    const today = Math.floor(Date.now() / DAY_MS);
    if (today === this.#day) return;
    this.#day = today;
    this.#values.clear();
    this.#counts.clear();
    this.#counter.reset();
  }
}

/** The metrics of one process or of several, as Prometheus reads them. */
export async function exposition(
  snapshots: readonly MetricsSnapshot[],
): Promise<{ text: string; contentType: string }> {
  const registry = AggregatorRegistry.aggregate([...snapshots]);
  return { text: await registry.metrics(), contentType: registry.contentType };
}
