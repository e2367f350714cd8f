/** One metric; Prometheus sees its name with the prefix `clickmilter_`. */
export interface Definition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** The upper bounds of a histogram's buckets, in seconds. */
  readonly buckets?: readonly number[];
  /** Of a counter whose first label is text from outside: the most values of a UTC day. */
  readonly mostPerDay?: number;
}

const gauge = (help: string) => ({ type: 'gauge', help, labels: [] }) as const;
const counter = <const Label extends string>(help: string, ...labels: Label[]) =>
  ({ type: 'counter', help, labels }) as const;

/** Every metric of clickmilter. */
export const definitions = {
  messages_total: counter('Messages seen', 'verdict', 'reason'),
  links_total: counter('Links found in messages', 'outcome', 'reason'),
  message_duration_seconds: {
    type: 'histogram',
    help: 'Time from MAIL to the final reply, with what the sender takes to send',
    labels: [],
    buckets: [1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
  },
  ready: gauge('Whether the service can work, as /readyz reports: 1 or 0'),
  message_bytes: gauge('Bytes of the messages under way, bounded by max_memory'),
  milter_connections: gauge('Open connections of MTAs'),
  store_errors_total: counter('Failed store operations', 'operation'),
  store_duration_seconds: {
    type: 'histogram',
    help: 'Time of a store operation',
    labels: ['operation'],
    buckets: [1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.1, 0.25, 1, 2.5],
  },
  redirects_total: counter('Answers of the redirect endpoint', 'status'),
  clicks_total: counter(
    'Clicks on tracked links: kept ones with whether a program made them, and lost ones',
    'outcome',
    'automatic',
  ),
  campaign_messages_total: {
    ...counter('Tracked messages of the campaigns of this UTC day', 'campaign'),
    mostPerDay: 50,
  },
  campaign_clicks_total: {
    ...counter('Clicks on the links of the campaigns of this UTC day', 'campaign', 'automatic'),
    mostPerDay: 50,
  },
  tls_certificate_end_seconds: gauge('When tls_certificate expires, as Unix time'),
  events_dead_lettered_total: counter('Clicks that the webhook could not deliver', 'reason'),
  events_undelivered: gauge('Clicks that wait for delivery'),
  events_oldest_undelivered_seconds: gauge('Age of the oldest click that waits for delivery'),
  events_stream_length: gauge('Clicks in the stream in Redis'),
  events_stream_limit: gauge('Clicks beyond which the oldest of the stream are dropped'),
  events_stream_bytes: gauge('Bytes of the stream in Redis'),
  events_stream_limit_bytes: gauge(
    'Bytes beyond which the oldest clicks of the stream are dropped',
  ),
  journal_bytes: gauge('Bytes of clicks in the journal'),
  journal_limit_bytes: gauge('Bytes beyond which the oldest file of the journal is dropped'),
  web_requests_total: counter('Answers of the engagement page', 'view', 'status'),
  web_request_duration_seconds: {
    type: 'histogram',
    help: 'Time of a request to the engagement page, except for events as they come',
    labels: ['view'],
    buckets: [2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.3, 1, 2.5, 10],
  },
  web_refused_total: counter(
    'Requests and connections beyond max_requests and max_connections of the engagement page',
    'limit',
  ),
  web_logins_failed_total: counter(
    'Logins with a wrong token, and those refused after too many of them',
    'reason',
  ),
  web_live_viewers: gauge('Browsers that look at clicks as they come'),
  workers: gauge('Workers that serve'),
  worker_events_total: counter('Worker lifecycle events', 'event'),
} as const satisfies Readonly<Record<string, Definition>>;

type Definitions = typeof definitions;
export type MetricName = keyof Definitions;
type OfType<Type> = {
  [Name in MetricName]: Definitions[Name]['type'] extends Type ? Name : never;
}[MetricName];
/**
 * The labels of a metric: words, not sentences, since each combination is a time series of its own.
 */
type Labels<Name extends MetricName> = Readonly<
  Record<Definitions[Name]['labels'][number], string>
>;

/** The metrics of a process, as every room sees them. */
export interface Metrics {
  /**
   * Adds to a counter.
   * @param by default: 1; 0 makes a series that alerts need from the start, since Prometheus sees
   * no increase in one that appears
   */
  count<Name extends OfType<'counter'>>(name: Name, labels: Labels<Name>, by?: number): void;
  /** Adds one value to a histogram. */
  observe<Name extends OfType<'histogram'>>(name: Name, labels: Labels<Name>, value: number): void;
  /**
   * Defines a gauge, which is read when Prometheus asks.
   * @param read its value; with `undefined` or a rejection, where the value cannot be known, the
   * series is absent
   */
  gauge(name: OfType<'gauge'>, read: () => number | undefined | Promise<number | undefined>): void;
}

/** Counts nothing: for tests and commands. */
export const noMetrics: Metrics = { count() {}, observe() {}, gauge() {} };
