import { readFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm, rmdir, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { StoreUnavailable } from '../../../src/link/link-store.ts';
import type { EventAppender } from '../../../src/store/events.ts';
import {
  adoptPending,
  JournalReplay,
  type ReplayOptions,
} from '../../../src/store/local/journal-replay.ts';
import { recordedLog, recordedMetrics } from '../../helpers/recorded.ts';
import { event, JournalFolder } from './journal-folder.ts';

const folder = new JournalFolder();

/** A stream in memory that can be away, or fail after it has taken something. */
class FakeStream implements EventAppender {
  readonly events: string[] = [];
  away = false;
  async append(events: readonly string[]) {
    if (this.away) throw new StoreUnavailable('away');
    this.events.push(...events);
  }
}

const HOST = hostname().replace(/[^\w-]/g, '_');

/** In clock ticks since boot. */
function startOf(pid: number): number {
  return Number(
    readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ')[19],
  );
}

/** A file that waits for the stream; @param writer its host and process */
async function write(writer: string, content: string): Promise<string> {
  const path = join(folder.path, `pending-20200101000000000-aaaaaaaaaa.${writer}.jsonl`);
  await writeFile(path, content);
  return path;
}

describe('the replay', () => {
  function replay(
    target: EventAppender,
    { journal = folder.open({ kind: 'pending' }), ...options }: Partial<ReplayOptions> = {},
  ) {
    const intervalMs = 3_600_000;
    return new JournalReplay({ folder: folder.path, journal, target, intervalMs, ...options });
  }

  test('hands over what waits, in order, and removes it', async () => {
    const journal = folder.open({ kind: 'pending', maxFileBytes: 100 });
    const stream = new FakeStream();
    const replaying = replay(stream, { journal });
    for (let n = 0; n < 7; n++) await journal.append([event(n)]);
    expect(await replaying.run()).toBe(7);
    expect(stream.events).toEqual([0, 1, 2, 3, 4, 5, 6].map(event));
    expect(await readdir(folder.path)).toEqual([]);
    await journal.append([event(7)]);
    expect(await replaying.run()).toBe(1);
    expect(await replaying.run()).toBe(0);
    await replaying.close();
  });

  test('a stream that stays away makes no difference to the journal', async () => {
    const journal = folder.open({ kind: 'pending' });
    const stream = new FakeStream();
    stream.away = true;
    const replaying = replay(stream, { journal });
    for (let n = 0; n < 5; n++) {
      await journal.append([event(n)]);
      expect(await replaying.run()).toBe(0);
    }
    expect(await folder.names()).toHaveLength(1);
    stream.away = false;
    expect(await replaying.run()).toBe(5);
    expect(await readdir(folder.path)).toEqual([]);
    await replaying.close();
  });

  test('a folder that cannot be read is tried again less often each time, and as before when it can', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => {
      vi.restoreAllMocks(); // first: it brings back the faked setTimeout
      vi.useRealTimers();
    });
    const pauses = vi.spyOn(globalThis, 'setTimeout').mock.calls;
    const path = join(folder.path, 'journal');
    await writeFile(path, 'not a folder');
    const replaying = replay(new FakeStream(), { folder: path, intervalMs: 1000 });
    const attempt = async () => {
      const before = pauses.length;
      vi.advanceTimersToNextTimer();
      while (pauses.length === before) await new Promise(setImmediate);
    };
    for (let times = 1; times <= 8; times++) await attempt();
    await rm(path);
    await attempt();
    await attempt();
    await replaying.close();
    expect(pauses.map(([, ms]) => Number(ms) / 1000)).toEqual([
      1, 2, 4, 8, 16, 32, 60, 60, 60, 1, 1,
    ]);
  });

  test('a stream that is away again: goes on where it stopped', async () => {
    const journal = folder.open({ kind: 'pending' });
    const stream = new FakeStream();
    let calls = 0;
    const flaky: EventAppender = {
      append: async (events) => {
        calls++;
        if (calls === 3) throw new StoreUnavailable('away');
        await stream.append(events);
      },
    };
    const replaying = replay(flaky, { journal });
    const all = Array.from({ length: 1700 }, (_, n) => event(n));
    await journal.append(all);
    expect(await replaying.run()).toBe(1000);
    expect(await replaying.run()).toBe(700);
    expect(stream.events).toEqual(all);
    expect(await readdir(folder.path)).toEqual([]);
    await replaying.close();
  });

  test('what it handed over is not handed over again where that cannot be saved', async () => {
    const journal = folder.open({ kind: 'pending' });
    const stream = new FakeStream();
    const replaying = replay(stream, { journal });
    await journal.append([event(0), event(1)]);
    const [name = ''] = await readdir(folder.path);
    const [id] = name.split('.');
    const inTheWay = join(folder.path, `${id}.offset`);
    await mkdir(inTheWay);
    for (let again = 0; again < 3; again++) await replaying.run();
    await rmdir(inTheWay);
    await journal.append([event(2)]);
    await replaying.run();
    expect(stream.events).toEqual([0, 1, 2].map(event));
    expect(await readdir(folder.path)).toEqual([]);
    await replaying.close();
  });

  test('what it handed over is not lost when the file makes room', async () => {
    const { logger, lines } = recordedLog();
    const { metrics, counts } = recordedMetrics();
    const options = { journalMaxSize: 200_000, logger, metrics };
    const journal = folder.open({ kind: 'pending', ...options });
    await journal.append(Array.from({ length: 700 }, (_, n) => event(n)));
    const stream = new FakeStream();
    const once: EventAppender = {
      async append(events) {
        if (stream.events.length > 0) throw new StoreUnavailable('away');
        await stream.append(events);
      },
    };
    const replaying = replay(once, { journal });
    expect(await replaying.run()).toBe(500);
    while (lines.length === 0) await journal.append([event('0'.repeat(5_000))]);
    expect(lines).toMatchObject([
      { events: 200, message: 'the journal is full: clicks that Redis never got are lost' },
    ]);
    expect(counts).toEqual(Array(200).fill('clicks_total lost '));
    expect((await readdir(folder.path)).filter((name) => name.endsWith('.offset'))).toEqual([]);
    await replaying.close();
  });

  test('leaves the journal of those that stay alone, and passes over what is no event', async () => {
    await folder.open().append([event('stays')]);
    await write(
      `${HOST}.4194304`,
      `${event('dead')}\n{"msys":{"tra\nnonsense\n${event('too')}\n{"msys":`,
    );
    const stream = new FakeStream();
    const replaying = replay(stream);
    expect(await replaying.run()).toBe(2);
    expect(stream.events).toEqual([event('dead'), event('too')]);
    expect(await folder.lines()).toEqual([event('stays')]);
    await replaying.close();
  });

  test('a file that cannot be read is named once and left out until it can be', async () => {
    await mkdir(join(folder.path, `pending-20200101000000000-aaaaaaaaaa.${HOST}.4194304.jsonl`));
    const journal = folder.open({ kind: 'pending' });
    const { logger, lines } = recordedLog();
    const replaying = replay(new FakeStream(), { journal, logger });
    for (let n = 0; n < 3; n++) {
      await journal.append([event(n)]);
      expect(await replaying.run()).toBe(1);
    }
    const [left = ''] = await folder.names();
    await rm(join(folder.path, left), { recursive: true });
    await writeFile(join(folder.path, left), `${event('old')}\n`);
    expect(await replaying.run()).toBe(1);
    expect(lines.filter(({ level }) => level !== 'info')).toMatchObject([
      {
        message: 'file left out until it can be read',
        path: join(folder.path, left),
        reason: 'EISDIR: illegal operation on a directory, read',
      },
    ]);
    await replaying.close();
  });

  const { pid, ppid } = process;
  const started = startOf(ppid);
  // The time in the names is years ago, as it is to a clock that was set: it says nothing.
  test.each([
    ['of a process that lives', `${HOST}.${ppid}-${started}`, 0, 'left'],
    ['of a process that lives, not written for long', `${HOST}.${ppid}-${started}`, 2400, 'left'],
    ['of an earlier process of that number', `${HOST}.${ppid}-${started + 1}`, 0, 'taken'],
    ['of a process that is gone', `${HOST}.4194304-${started}`, 0, 'taken'],
    ['of this process, that no journal has open', `${HOST}.${pid}-${startOf(pid)}`, 0, 'taken'],
    ['of an earlier release, whose process may live', `${HOST}.${ppid}`, 0, 'left'],
    ['of an earlier release, not written for long', `${HOST}.${ppid}`, 2400, 'taken'],
    ['of another host', 'another-host.1-1', 0, 'left'],
    ['of another host, not written for long', 'another-host.1-1', 2400, 'taken'],
    ['of another host, written when the clock was ahead', 'another-host.1-1', -2400, 'taken'],
  ])('a file %s', async (_name, writer, age, outcome) => {
    const path = await write(writer, `${event(1)}\n`);
    const time = Date.now() / 1000 - age;
    await utimes(path, time, time);
    const replaying = replay(new FakeStream());
    expect(await replaying.run()).toBe(outcome === 'taken' ? 1 : 0);
    expect(await folder.names()).toHaveLength(outcome === 'taken' ? 0 : 1);
    await replaying.close();
  });

  test('without a stream, what waits for one becomes part of the journal', async () => {
    const journal = folder.open({ kind: 'pending' });
    await journal.append([event(1)]);
    const [name = ''] = await folder.names();
    await journal.close();
    await rename(
      join(folder.path, name),
      join(folder.path, name.replace(/\.[\d-]+\.jsonl/, '.4194304.jsonl')),
    );
    await adoptPending(folder.path);
    expect(await folder.names('pending')).toEqual([]);
    expect(await folder.lines('events')).toEqual([event(1)]);
  });

  test('any events, any interruptions: all arrive, in order for each file', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.string({ unit: 'binary' }).map((text) => ({ text })),
            fc.constant('fail' as const),
            fc.constant('replay' as const),
          ),
          { maxLength: 30 },
        ),
        async (steps) => {
          const journal = folder.open({ kind: 'pending', maxFileBytes: 200 });
          const stream = new FakeStream();
          const replaying = replay(stream, { journal });
          const sent: string[] = [];
          for (const step of steps) {
            if (step === 'fail') stream.away = !stream.away;
            else if (step === 'replay') await replaying.run();
            else {
              const line = JSON.stringify({ msys: { track_event: step } });
              await journal.append([line]);
              sent.push(line);
            }
          }
          stream.away = false;
          await replaying.run();
          await replaying.close();
          await journal.close();
          expect(stream.events).toEqual(sent);
          expect(await readdir(folder.path)).toEqual([]);
        },
      ),
      { numRuns: 15 },
    );
  });
});
