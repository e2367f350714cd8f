import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silent } from '../../../src/lib/logger.ts';
import { noMetrics } from '../../../src/lib/metrics.ts';
import { checkSealKeyFile } from '../../../src/link/seal-key-file.ts';
import { openStore } from '../../../src/store/open-store.ts';
import { configurationOf } from '../../helpers/configuration.ts';

/*
 * Something else in the place of a file of the state: no read waits for ever, all memory stays free, and
 * errors name the path.
 */

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'clickmilter-not-files-'));
  mkdirSync(join(folder, 'events'));
  mkdirSync(join(folder, 'previews'));
});
afterEach(() => rm(folder, { recursive: true }));

const OTHERS: Readonly<Record<string, (path: string) => unknown>> = {
  'a folder': (path) => mkdirSync(path),
  'a pipe': (path) => execFileSync('mkfifo', [path]),
  'a link to /dev/zero': (path) => symlinkSync('/dev/zero', path),
};

/** Files of the state. */
const FILES = [
  'keys',
  'blocked',
  'opt-outs',
  'events/events-20260101000000000-aaaaaaaaaa.elsewhere.1.jsonl',
  'events/pending-20260101000000000-aaaaaaaaab.elsewhere.1.jsonl',
  'events/counts-2026-01-01.host.1.jsonl',
  'events/counts-2026-01-01.1767225600000.sums',
  'events/counts-firsts.1767225600000.sums',
  'events/counters.lease.json',
  'events/counters.offsets.json',
  'events/dead-letters.jsonl',
] as const;

describe.each(Object.entries(OTHERS))('%s in the place of', (_, make) => {
  test.each(FILES)('%s', async (name) => {
    const path = join(folder, name);
    make(path);
    const config = configurationOf(`state_directory = "${folder}"`);
    const store = await openStore(config, silent, noMetrics);
    const reader = store.events.openReader('oldest');
    const consumer = store.events.openConsumer({ group: 'counters', name: 'c' });
    const done = await Promise.allSettled([
      checkSealKeyFile(config.sealed.keyFile),
      store.blocks.all(),
      store.blocks.add({ kind: 'domain', value: 'a.example' }),
      store.optOuts.hasAny(['a@b.example']),
      reader.next(10, 0),
      consumer.next(10, 0),
      store.counters.report({ by: 'day' }),
      store.counters.sumUp(AbortSignal.timeout(5000)),
      store.previews.removeExpired(),
      store.forget({ address: 'a@b.example' }),
    ]);
    await Promise.all([reader.close(), consumer.close()]);
    await store.close();
    for (const one of done) {
      if (one.status === 'rejected') expect(String(one.reason)).toContain(path);
    }
  });
});
