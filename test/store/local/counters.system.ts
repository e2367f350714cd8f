import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileCounters } from '../../../src/store/local/counters.ts';
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
  await expect(counters.count(portion)).rejects.toThrow(/ENOSPC/);
  await truncate(ballast, 210 * 1024);
  await expect(counters.count(portion)).rejects.toThrow(/ENOSPC/);
  await rm(ballast);
  for (let again = 0; again < 2; again++) await counters.count(portion);
  const { total } = await new FileReport(disk).report({ by: 'campaign' });
  expect(total).toMatchObject({ clicks: 400, rawClicks: 400 });
});
