import { mkdir, open, readdir, rmdir, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Fields } from '../../../src/lib/logger.ts';
import { StoreUnavailable } from '../../../src/link/link-store.ts';
import { recordedLog } from '../../helpers/recorded.ts';
import { event, JournalFolder } from './journal-folder.ts';

const folder = new JournalFolder();
const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);

afterEach(() => void vi.useRealTimers());

describe('the journal', () => {
  test('one line an event, there when the append settles', async () => {
    const journal = folder.open();
    await journal.append([event(1)]);
    expect(await folder.lines()).toEqual([event(1)]);
    await Promise.all([journal.append([event(2), event(3)]), journal.append([event(4)])]);
    expect(await folder.lines()).toEqual([1, 2, 3, 4].map(event));
    const [name = ''] = await folder.names();
    expect(name).toMatch(/^events-\d{17}-[\da-f]{10}\.[\w-]+\.\d+-\d+\.jsonl$/);
    expect(name).toContain(`.${process.pid}-`);
    expect((await stat(join(folder.path, name))).mode & 0o777).toBe(0o640);
  });

  test.each([
    { journalFsyncMs: 0, beforeTheAppendSettles: 1 },
    { journalFsyncMs: 5_000, beforeTheAppendSettles: 0 },
  ])(
    'is flushed within journal_fsync ($journalFsyncMs), with 0 before the append settles',
    async ({ journalFsyncMs, beforeTheAppendSettles }) => {
      const handle = await open(join(folder.path, 'any'), 'w');
      const flush = vi.spyOn(Object.getPrototypeOf(handle), 'datasync');
      await handle.close();
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      await folder.open({ journalFsyncMs }).append([event(1)]);
      expect(flush).toHaveBeenCalledTimes(beforeTheAppendSettles);
      vi.advanceTimersByTime(5_000);
      expect(flush).toHaveBeenCalledTimes(1);
    },
  );

  test('makes no file before the first event', async () => {
    await folder.open().close();
    expect(await readdir(folder.path)).toEqual([]);
  });

  test('many appends at once lose and mix nothing', async () => {
    const journal = folder.open({ maxFileBytes: 5_000 });
    const all = Array.from({ length: 2000 }, (_, n) => event(n));
    await Promise.all(all.map((one) => journal.append([one])));
    expect((await folder.lines()).sort()).toEqual([...all].sort());
  });

  test('a new file by size and by age', async () => {
    const journal = folder.open({ maxFileBytes: 100 });
    for (let n = 0; n < 5; n++) await journal.append([event(n)]);
    expect(await folder.names()).toHaveLength(3);
    expect(await folder.lines()).toEqual([0, 1, 2, 3, 4].map(event));
    const aging = folder.open({ maxFileAgeMs: 0, kind: 'pending' });
    for (let n = 0; n < 3; n++) await aging.append([event(n)]);
    expect(await folder.names('pending')).toHaveLength(3);
  });

  test('what cannot be removed does not keep it from writing', async () => {
    const journal = folder.open({ journalMaxSize: 800 });
    const odd = join(folder.path, 'events-20200101000000000-0123456789.h.1.jsonl');
    await mkdir(odd);
    for (let n = 0; n < 100; n++) await journal.append([event(n)]);
    await rmdir(odd);
    expect((await folder.lines()).at(-1)).toBe(event(99));
  });

  test('beyond its limit the oldest goes, and that is said', async () => {
    const { logger, lines } = recordedLog();
    const journal = folder.open({ journalMaxSize: 800, logger });
    const one = event('0'.repeat(20));
    for (let n = 0; n < 100; n++) await journal.append([one]);
    const sizes = await Promise.all(
      (await folder.names()).map(async (name) => (await stat(join(folder.path, name))).size),
    );
    expect(sum(sizes)).toBeLessThanOrEqual(800);
    expect((await folder.lines()).length + droppedIn(lines)).toBe(100);
  });

  test('several make room at once: each event is kept or said to be dropped, and none is refused', async () => {
    const { logger, lines } = recordedLog();
    const options = { journalMaxSize: 10_000, maxFileBytes: 300, logger };
    const writers = Array.from({ length: 4 }, () => folder.open(options));
    for (let n = 0; n < 50; n++) {
      await Promise.all(writers.map((writer) => writer.append([event('0'.repeat(200))])));
    }
    expect((await folder.lines()).length + droppedIn(lines)).toBe(200);
  });

  test('the file that a quiet writer goes on writing to stays while a busy one makes room', async () => {
    const quiet = folder.open({ journalMaxSize: 8_000 });
    const busy = folder.open({ journalMaxSize: 8_000 });
    for (let n = 0; n < 100; n++) {
      if (n % 5 === 0) await quiet.append([event(`quiet${n}`)]);
      await busy.append([event('0'.repeat(200))]);
    }
    expect((await folder.lines()).filter((line) => line.includes('quiet'))).toHaveLength(20);
  });

  test('an event is not written to a file that somebody removed', async () => {
    const journal = folder.open();
    await journal.append([event(1)]);
    const [first = ''] = await folder.names();
    await unlink(join(folder.path, first));
    await journal.append([event(2)]);
    expect(await folder.lines()).toEqual([event(2)]);
  });

  test.each([
    ['goes on in its file when clicks are rare', 20, 0, 1],
    ['begins a new one where nothing showed that it was in use', 3_600_000, 0, 2],
    ['begins a new one where that came too late', 20, 700_000, 2],
  ])('%s', async (_name, heartbeatMs, suspendedMs, files) => {
    vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
    const journal = folder.open({ heartbeatMs });
    await journal.append([event(1)]);
    const path = join(folder.path, (await folder.names())[0] ?? '');
    vi.setSystemTime(Date.now() + suspendedMs);
    for (let passed = 0; passed < 2_400_000; passed += 300_000) {
      vi.setSystemTime(Date.now() + 300_000);
      vi.advanceTimersByTime(20);
      const used = heartbeatMs === 20 && suspendedMs === 0;
      // The time goes through the thread pool.
      if (used)
        await expect.poll(async () => (await stat(path)).mtimeMs).toBeCloseTo(Date.now(), -3);
    }
    await journal.append([event(2)]);
    expect(await folder.names()).toHaveLength(files);
    expect(await folder.lines()).toEqual([event(1), event(2)]);
  });

  test('a folder that cannot be: refused, said once, and it recovers', async () => {
    const { logger, lines } = recordedLog();
    const blocked = join(folder.path, 'file');
    await writeFile(blocked, '');
    const journal = folder.open({ folder: blocked, logger });
    for (let n = 0; n < 3; n++) {
      await expect(journal.append([event(n)])).rejects.toBeInstanceOf(StoreUnavailable);
    }
    await unlink(blocked);
    await journal.append([event(3)]);
    expect(lines).toEqual([
      {
        level: 'error',
        message: 'the journal cannot be written: clicks may be lost',
        reason: `journal ${blocked}: ENOTDIR: not a directory, scandir '${blocked}'`,
      },
      { level: 'info', message: 'the journal can be written again' },
    ]);
  });
});

/** How many events were dropped to make room. */
function droppedIn(lines: readonly Fields[]): number {
  return sum(lines.map((line) => Number(line['events'] ?? 0)));
}
