import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileCounters } from '../../../src/store/local/counters.ts';
import { DeadLetters } from '../../../src/store/local/dead-letters.ts';
import { JournalConsumer } from '../../../src/store/local/journal-consumer.ts';
import { FileReport } from '../../../src/store/local/report.ts';

let disk: string;
beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), 'clickmilter-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', disk]);
});
afterEach(() => {
  execFileSync('umount', [disk]);
  rmSync(disk, { recursive: true });
});

test('on a disk that is full for a while, and then almost, nothing is counted twice', async () => {
  const ballast = join(disk, 'ballast');
  await writeFile(ballast, Buffer.alloc(244 * 1024));
  const counters = new FileCounters({ folder: disk });
  for (let n = 0; n < 400; n++) {
    const link = `https://example.com/${'x'.repeat(60)}${n}`;
    const time = Date.parse('2026-11-23');
    counters.book({ time, messageId: `message-${n}`, link, part: 'html', count: 1 }, 'people');
  }
  const portion = await counters.portion();
  await expect(counters.count(portion)).rejects.toThrow(
    /counts-2026-11-23\.\S+-clicks\.\d+\.jsonl: ENOSPC/,
  );
  await truncate(ballast, 210 * 1024);
  await expect(counters.count(portion)).rejects.toThrow(
    /counts-2026-11-23\.\S+-clicks\.\d+\.jsonl: ENOSPC/,
  );
  await rm(ballast);
  for (let again = 0; again < 2; again++) await counters.count(portion);
  const { total } = await new FileReport(disk).report({ by: 'campaign' });
  expect(total).toMatchObject({ clicks: 400, rawClicks: 400 });
});

test('on a disk that is full, errors name the file, and nothing half is left', async () => {
  const events = Array.from({ length: 400 }, (_, n) => JSON.stringify({ n, x: 'x'.repeat(99) }));
  const id = '20261123000000000-0000000000';
  const line = '{"msys":{"track_event":{}}}\n';
  await writeFile(join(disk, `events-${id}.host.1.jsonl`), line);
  const letters = new DeadLetters(disk);
  await letters.add(events.slice(0, 1), 'HTTP 400');
  const before = await readFile(letters.path);
  const ballast = join(disk, 'ballast');
  await writeFile(ballast, Buffer.alloc(1024 * 1024)).catch(() => {});
  const consumer = new JournalConsumer(disk, 'webhook');
  await expect(consumer.next(1, 0)).rejects.toThrow(/webhook\.offsets\.json\S*: ENOSPC/);
  await expect(letters.add(events, 'HTTP 400')).rejects.toThrow(/dead-letters\.jsonl: ENOSPC/);
  expect(await readFile(letters.path)).toEqual(before);
  expect((await readdir(disk)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  await rm(ballast);
  await letters.add(events, 'HTTP 400');
  expect((await readFile(letters.path, 'utf8')).trimEnd().split('\n')).toHaveLength(400);
  const [event] = await consumer.next(1, 0);
  expect(event?.event).toBe(line.trimEnd());
});
