import { readdir, rename, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Journal } from '../../src/event/journal.ts';
import { adoptPending, JournalReplay } from '../../src/event/journal-replay.ts';
import type { EventAppender } from '../../src/link/event-stream.ts';
import { StoreUnavailable } from '../../src/link/link-store.ts';
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

describe('the replay', () => {
  function replay(target: EventAppender, options: { journal?: Journal } = {}) {
    const journal = options.journal ?? folder.open({ kind: 'pending' });
    return new JournalReplay({ folder: folder.path, journal, target, intervalMs: 3_600_000 });
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

  test('what it handed over is not lost when the file makes room', async () => {
    const dropped: number[] = [];
    const observer = { dropped: (_path: string, events: number) => void dropped.push(events) };
    const journal = folder.open({ kind: 'pending', maxTotalBytes: 200_000, observer });
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
    while (dropped.length === 0) await journal.append([event('0'.repeat(5_000))]);
    expect(dropped).toEqual([200]);
    expect((await readdir(folder.path)).filter((name) => name.endsWith('.offset'))).toEqual([]);
    await replaying.close();
  });

  test('leaves the journal of those that stay, and the files of living writers', async () => {
    await folder.open().append([event('stays')]);
    const living = `pending-20260101000000000-aaaaaaaaaa.${hostname().replace(/[^\w-]/g, '_')}.${process.ppid}.jsonl`;
    const time = new Date(Date.now()).toISOString().replace(/\D/g, '');
    const livingNow = living.replace('20260101000000000', time);
    const elsewhere = `pending-${time}-cccccccccc.another-host.1.jsonl`;
    const dead = `pending-20260101000000000-bbbbbbbbbb.${hostname().replace(/[^\w-]/g, '_')}.4194304.jsonl`;
    await writeFile(join(folder.path, livingNow), `${event('living')}\n`);
    await writeFile(join(folder.path, elsewhere), `${event('elsewhere')}\n`);
    await writeFile(
      join(folder.path, dead),
      `${event('dead')}\n{"msys":{"tra\nnonsense\n${event('too')}\n{"msys":`,
    );
    const stream = new FakeStream();
    const replaying = replay(stream);
    expect(await replaying.run()).toBe(2);
    expect(stream.events).toEqual([event('dead'), event('too')]);
    expect(await folder.names('pending')).toEqual([livingNow, elsewhere].sort());
    await replaying.close();
  });

  test('a pid that is used again is not the writer', async () => {
    // The process of that number began after the file: so its writer is gone.
    const name = `pending-20200101000000000-aaaaaaaaaa.${hostname().replace(/[^\w-]/g, '_')}.${process.ppid}.jsonl`;
    await writeFile(join(folder.path, name), `${event('old')}\n`);
    const stream = new FakeStream();
    const replaying = replay(stream);
    expect(await replaying.run()).toBe(1);
    await replaying.close();
  });

  test('without a stream, what waits for one becomes part of the journal', async () => {
    const journal = folder.open({ kind: 'pending' });
    await journal.append([event(1)]);
    const [name = ''] = await folder.names();
    await journal.close();
    await rename(
      join(folder.path, name),
      join(folder.path, name.replace(/\.\d+\.jsonl/, '.4194304.jsonl')),
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
              const line = JSON.stringify({ msys: step });
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
