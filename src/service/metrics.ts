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
import { type Definition, definitions, type MetricName, type Metrics } from '../lib/metrics.ts';

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

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

type Count = { readonly labels: Readonly<Record<string, string>>; by: number };

/**
 * The metrics of one process, kept with prom-client. Each series carries the process's slot as the
 * label `worker`, which a successor inherits: to Prometheus the loss of a worker is a counter that
 * starts again, not one that shrinks.
 */
export class ProcessMetrics implements Metrics {
  readonly #registry = new Registry();
  readonly #counts = new Map<MetricName, Map<string, Count>>();
  readonly #histograms = new Map<MetricName, Histogram>();

  /** @param worker the slot of this process; `main` for the primary, or where it is the only one */
  constructor(worker: string, version: string) {
    const registers = [this.#registry];
    this.#registry.setDefaultLabels({ worker });
    collectDefaultMetrics({ register: this.#registry });
    for (const [name, definition] of Object.entries(definitions) as [MetricName, Definition][]) {
      const { help, labels, buckets } = definition;
      const described = { name: `clickmilter_${name}`, help, labelNames: [...labels], registers };
      if (definition.type === 'counter') this.#counts.set(name, countsOf(described));
      if (buckets !== undefined) {
        this.#histograms.set(name, new Histogram({ ...described, buckets: [...buckets] }));
      }
    }
    const help = 'The version that runs';
    const described = { name: 'clickmilter_build_info', help, labelNames: ['version'], registers };
    new Gauge(described).set({ version }, 1);
  }

  count(name: MetricName, labels: Count['labels'], by = 1): void {
    const counts = this.#counts.get(name);
    const series = Object.values(labels).join('\0');
    const count = counts?.get(series);
    if (count === undefined) counts?.set(series, { labels, by });
    else count.by += by;
  }

  observe(name: MetricName, labels: Count['labels'], value: number): void {
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

/**
 * The counts of a new counter. prom-client gets them when Prometheus asks, so that counting costs
 * next to nothing.
 */
function countsOf(described: ConstructorParameters<typeof Counter>[0]): Map<string, Count> {
  const counts = new Map<string, Count>();
  new Counter({
    ...described,
    collect() {
      for (const { labels, by } of counts.values()) this.inc(labels, by);
      counts.clear();
    },
  });
  return counts;
}

/** The metrics of one process or of several, as Prometheus reads them. */
export async function exposition(
  snapshots: readonly MetricsSnapshot[],
): Promise<{ text: string; contentType: string }> {
  const registry = AggregatorRegistry.aggregate([...snapshots]);
  return { text: await registry.metrics(), contentType: registry.contentType };
}
