import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { definitions } from '../../src/lib/metrics.ts';
import {
  exposition,
  type MetricsSnapshot,
  ProcessMetrics,
  readSnapshot,
} from '../../src/service/metrics.ts';

/** The lines of our own series, without buckets. */
async function series(...all: ProcessMetrics[]): Promise<string[]> {
  const { text } = await exposition(await Promise.all(all.map((metrics) => metrics.snapshot())));
  return text.split('\n').filter((line) => /^clickmilter_(?!.*_bucket)/.test(line));
}

describe('metrics of a process', () => {
  test('what is observed is what Prometheus reads', async () => {
    const metrics = new ProcessMetrics('main', '1.2.3');
    metrics.count('messages_total', { verdict: 'tracked', reason: '' });
    metrics.count('messages_total', { verdict: 'untouched', reason: 'off' });
    metrics.observe('message_duration_seconds', {}, 0.25);
    metrics.observe('message_duration_seconds', {}, 0.5);
    metrics.count('links_total', { outcome: 'tracked', reason: '' }, 48);
    metrics.count('links_total', { outcome: 'left alone', reason: 'opt-out' });
    metrics.count('links_total', { outcome: 'left alone', reason: 'mailto' }, 2);
    metrics.observe('store_duration_seconds', { operation: 'save' }, 0.5);
    metrics.observe('store_duration_seconds', { operation: 'save' }, 0.25);
    metrics.count('store_errors_total', { operation: 'save' });
    metrics.count('redirects_total', { status: '302' });
    metrics.count('redirects_total', { status: '404' });
    metrics.count('clicks_total', { outcome: 'kept', automatic: 'false' });
    metrics.count('clicks_total', { outcome: 'lost', automatic: '' });
    metrics.count('worker_events_total', { event: 'hung' });
    metrics.gauge('events_undelivered', () => 7);
    expect((await series(metrics)).join('\n')).toMatchInlineSnapshot(`
      "clickmilter_messages_total{verdict="tracked",reason="",worker="main"} 1
      clickmilter_messages_total{verdict="untouched",reason="off",worker="main"} 1
      clickmilter_links_total{outcome="tracked",reason="",worker="main"} 48
      clickmilter_links_total{outcome="left alone",reason="opt-out",worker="main"} 1
      clickmilter_links_total{outcome="left alone",reason="mailto",worker="main"} 2
      clickmilter_message_duration_seconds_sum{worker="main"} 0.75
      clickmilter_message_duration_seconds_count{worker="main"} 2
      clickmilter_store_errors_total{operation="save",worker="main"} 1
      clickmilter_store_duration_seconds_sum{operation="save",worker="main"} 0.75
      clickmilter_store_duration_seconds_count{operation="save",worker="main"} 2
      clickmilter_redirects_total{status="302",worker="main"} 1
      clickmilter_redirects_total{status="404",worker="main"} 1
      clickmilter_clicks_total{outcome="kept",automatic="false",worker="main"} 1
      clickmilter_clicks_total{outcome="lost",automatic="",worker="main"} 1
      clickmilter_worker_events_total{event="hung",worker="main"} 1
      clickmilter_build_info{version="1.2.3",worker="main"} 1
      clickmilter_events_undelivered{worker="main"} 7"
    `);
  });

  test('campaigns without end are few series, and each day begins without any', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-11-23T12:00:00Z') });
    const metrics = new ProcessMetrics('main', '1.2.3');
    const click = (campaign: string, automatic = 'false') =>
      metrics.count('campaign_clicks_total', { campaign, automatic });
    const counted = async () =>
      (await series(metrics)).filter((line) => line.startsWith('clickmilter_campaign_clicks'));
    click('');
    for (let n = 0; n < 1000; n++) click(`c${n}`);
    click('c7', 'true');
    click('x'.repeat(5000), 'true');
    const lines = await counted();
    expect(lines).toHaveLength(53);
    expect(lines).toEqual(
      expect.arrayContaining([
        'clickmilter_campaign_clicks_total{campaign="(none)",automatic="false",worker="main"} 1',
        'clickmilter_campaign_clicks_total{campaign="c7",automatic="true",worker="main"} 1',
        'clickmilter_campaign_clicks_total{campaign="(other)",automatic="false",worker="main"} 951',
        'clickmilter_campaign_clicks_total{campaign="(other)",automatic="true",worker="main"} 1',
      ]),
    );
    vi.setSystemTime(Date.parse('2026-11-24T00:00:01Z'));
    expect(await counted()).toEqual([]);
    click('c999');
    expect(await counted()).toEqual([
      'clickmilter_campaign_clicks_total{campaign="c999",automatic="false",worker="main"} 1',
    ]);
    vi.useRealTimers();
  });

  test('a gauge that cannot be read is absent, also after it could be', async () => {
    const metrics = new ProcessMetrics('main', '1.2.3');
    let value: number | undefined = 3;
    metrics.gauge('milter_connections', () => value);
    metrics.gauge('events_undelivered', () => Promise.reject(new Error('Redis is away')));
    const gauges = async () =>
      (await series(metrics)).filter((line) => !/build_info|duration/.test(line));
    expect(await gauges()).toEqual(['clickmilter_milter_connections{worker="main"} 3']);
    value = undefined;
    expect(await gauges()).toEqual([]);
  });

  test('workers are series of their own, and nothing is lost on the way through a structured clone', async () => {
    const [one, two] = [new ProcessMetrics('1', '1.2.3'), new ProcessMetrics('2', '1.2.3')];
    one.count('redirects_total', { status: '302' });
    two.count('redirects_total', { status: '302' });
    two.count('redirects_total', { status: '302' });
    const snapshots = await Promise.all([one.snapshot(), two.snapshot()]);
    const { text, contentType } = await exposition(structuredClone(snapshots));
    expect(text).toContain('clickmilter_redirects_total{status="302",worker="1"} 1');
    expect(text).toContain('clickmilter_redirects_total{status="302",worker="2"} 2');
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds\{worker="1"\} /m);
    expect(text.match(/^# TYPE clickmilter_redirects_total /gm)).toHaveLength(1);
    expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
  });
});

test('what a worker sends is a snapshot that can be shown, or none', async () => {
  const real: MetricsSnapshot = await new ProcessMetrics('1', '1.0.0').snapshot();
  expect(readSnapshot(structuredClone(real))).toEqual(real);
  const [metric = expect.fail()] = real;
  const odd = fc.oneof(fc.constantFrom(undefined, null, '', 'sum', -1, [], {}), fc.anything());
  const mutated = fc.oneof(
    fc.anything(),
    fc
      .tuple(fc.constantFrom('name', 'help', 'type', 'aggregator', 'values'), odd)
      .map(([key, value]) => [{ ...metric, [key]: value }]),
    fc
      .tuple(fc.constantFrom('value', 'labels', 'metricName'), odd)
      .map(([key, value]) => [{ ...metric, values: [{ ...metric.values[0], [key]: value }] }]),
  );
  await fc.assert(
    fc.asyncProperty(mutated, async (value) => {
      const snapshot = readSnapshot(value);
      if (snapshot === undefined) return;
      expect((await exposition([real, snapshot])).text).toContain('clickmilter_');
    }),
    { numRuns: 500 },
  );
});

test('the dashboard shows metrics that exist', () => {
  const dashboard = readFileSync(
    new URL('../../conf/grafana-dashboard.json', import.meta.url),
    'utf8',
  );
  const shown = new Set(
    [...dashboard.matchAll(/\bclickmilter_(\w+?)(?:_bucket|_sum|_count)?\b/g)].map(
      ([, name]) => name,
    ),
  );
  expect(shown.size).toBeGreaterThan(10);
  const known = ['build_info', ...Object.keys(definitions)];
  expect([...shown].filter((name) => !known.includes(name ?? ''))).toEqual([]);
});
