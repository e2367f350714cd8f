import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Configuration } from '../../src/config/configuration.ts';
import { measureEventLimits } from '../../src/service/event-limits.ts';
import type { Links } from '../../src/service/links.ts';
import { ProcessMetrics } from '../../src/service/metrics.ts';
import { Journal } from '../../src/store/local/journal.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-limits-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function gauges(store?: object): Promise<Record<string, number>> {
  const metrics = new ProcessMetrics('main', '1.2.3');
  const stream = { streamMaxLength: 50, streamMaxSize: 5000 };
  measureEventLimits(
    { events: { journal: folder, journalMaxSize: 1000, ...stream } } as unknown as Configuration,
    { store } as unknown as Links,
    metrics,
  );
  const found: Record<string, number> = {};
  for (const { name, values } of await metrics.snapshot()) {
    const gauge = /^clickmilter_((?:journal|events_stream)_.*)/.exec(name)?.[1];
    if (gauge !== undefined && values[0]) found[gauge] = values[0].value;
  }
  return found;
}

test('the journal, where it is all there is', async () => {
  const journal = new Journal({ folder, kind: 'events' });
  await journal.append(['{"event":1}']);
  await journal.close();
  expect(await gauges()).toEqual({ journal_bytes: 12, journal_limit_bytes: 1000 });
});

test('the stream, and the journal behind it', async () => {
  const health = async () => ({ streamLength: 7, streamBytes: 70 });
  expect(await gauges({ health })).toEqual({
    events_stream_length: 7,
    events_stream_limit: 50,
    events_stream_bytes: 70,
    events_stream_limit_bytes: 5000,
    journal_bytes: 0,
    journal_limit_bytes: 1000,
  });
});
