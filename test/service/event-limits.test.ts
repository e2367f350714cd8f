import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Configuration } from '../../src/config/configuration.ts';
import { Metrics } from '../../src/control/metrics.ts';
import { Journal } from '../../src/event/journal.ts';
import { tellEventLimits } from '../../src/service/event-limits.ts';
import type { Links } from '../../src/service/links.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-limits-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function told(store?: object): Promise<{ gauges: Record<string, number>; log: string }> {
  let log = '';
  const metrics = new Metrics('main', '1.2.3');
  tellEventLimits(
    {
      events: { journal: folder, journalMaxSize: 1000, streamMaxLength: 50 },
    } as unknown as Configuration,
    { store } as unknown as Links,
    metrics,
    pino(
      {},
      {
        write(line: string) {
          log += line;
        },
      },
    ),
  );
  const gauges: Record<string, number> = {};
  for (const { name, values } of await metrics.snapshot()) {
    const found = /^clickmilter_((?:journal|events_stream)_.*)/.exec(name)?.[1];
    if (found !== undefined && values[0]) gauges[found] = values[0].value;
  }
  return { gauges, log };
}

test('the journal, where it is all there is', async () => {
  const journal = new Journal({ folder, kind: 'events' });
  await journal.append(['{"event":1}']);
  await journal.close();
  const { gauges, log } = await told();
  expect(gauges).toEqual({ journal_bytes: 12, journal_limit_bytes: 1000 });
  expect(JSON.parse(log)).toMatchObject({ journalMaxSize: 1000 });
  expect(log).not.toContain('stream');
});

test('the stream, and the journal behind it', async () => {
  const { gauges, log } = await told({ health: async () => ({ streamLength: 7 }) });
  expect(gauges).toEqual({
    events_stream_length: 7,
    events_stream_limit: 50,
    journal_bytes: 0,
    journal_limit_bytes: 1000,
  });
  expect(JSON.parse(log)).toMatchObject({ journalMaxSize: 1000, streamMaxLength: 50 });
});
