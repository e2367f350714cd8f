import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { noMetrics } from '../../../src/lib/metrics.ts';
import { newMessageId } from '../../../src/link/message-id.ts';
import { formatStoredToken, LinkChecks } from '../../../src/link/stored-token.ts';
import { createLocalStore } from '../../../src/store/local/store.ts';
import { recordedLog, recordedMetrics } from '../../helpers/recorded.ts';
import { storeContract } from '../contract.ts';

const folder = mkdtempSync(join(tmpdir(), 'clickmilter-local-'));
const { logger, lines } = recordedLog();
const events = {
  journal: join(folder, 'events'),
  journalMaxSize: 2 ** 20,
  journalFsyncMs: 1000,
  blockList: join(folder, 'blocks'),
  optOuts: join(folder, 'opt-outs'),
  previews: join(folder, 'previews'),
  automaticWithinMs: 10_000,
};
const store = createLocalStore({ events }, logger, noMetrics);
afterAll(async () => {
  await store.close();
  rmSync(folder, { recursive: true });
});

storeContract(() => store);

test('a click on a stored link is a warning: it was sent before link_store was changed', async () => {
  const stored = formatStoredToken(newMessageId(), 0, new LinkChecks('secret'));
  await store.resolver.resolve('1');
  const before = lines.length;
  expect(await store.resolver.resolve(stored)).toBeUndefined();
  expect(lines.slice(before)).toMatchObject([
    { level: 'warn', message: expect.stringMatching(/^click on a stored link, but link_store/) },
  ]);
});

test('the journal is measured', async () => {
  const { metrics, gauges } = recordedMetrics();
  store.events.measure(metrics);
  expect([...gauges.keys()]).toEqual(['journal_bytes', 'journal_limit_bytes']);
  expect(await gauges.get('journal_bytes')?.()).toBeGreaterThan(0);
  expect(await gauges.get('journal_limit_bytes')?.()).toBe(2 ** 20);
});
