import { mkdtemp, readdir, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Journal, type JournalOptions } from '../../src/event/journal.ts';
import { adoptPending, JournalReplay } from '../../src/event/journal-replay.ts';
import type { EventAppender } from '../../src/link/event-stream.ts';
import { StoreUnavailable } from '../../src/link/link-store.ts';

let folder: string;
const journals: Journal[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-journal-'));
});

afterEach(async () => {
  for (const journal of journals.splice(0)) await journal.close();
  await rm(folder, { recursive: true, force: true });
});

function open(options: Partial<JournalOptions> = {}): Journal {
  const journal = new Journal({ folder, kind: 'events', ...options });
  journals.push(journal);
  return journal;
}

const event = (n: number | string) => `{"msys":{"track_event":{"event_id":"${n}"}}}`;
const names = async (kind = '') =>
  (await readdir(folder)).filter((name) => name.startsWith(kind) && name.endsWith('.jsonl')).sort();
async function lines(kind = ''): Promise<string[]> {
  const texts = await Promise.all(
    (await names(kind)).map((name) => readFile(join(folder, name), 'utf8')),
  );
  return texts.flatMap((text) => text.split('\n').slice(0, -1));
}

/** A stream in memory that can be away, or fail after it has taken something. */
class FakeStream implements EventAppender {
  readonly events: string[] = [];
  away = false;
  async append(events: readonly string[]) {
    if (this.away) throw new StoreUnavailable('away');
    this.events.push(...events);
  }
}

describe('the journal', () => {
  test('one line an event, there when the append settles', async () => {
    const journal = open();
    await journal.append([event(1)]);
    expect(await lines()).toEqual([event(1)]);
    await Promise.all([journal.append([event(2), event(3)]), journal.append([event(4)])]);
    expect(await lines()).toEqual([1, 2, 3, 4].map(event));
    const [name = ''] = await names();
    expect(name).toMatch(/^events-\d{17}-[\da-f]{10}\.[\w-]+\.\d+\.jsonl$/);
    expect(name).toContain(`.${process.pid}.jsonl`);
    expect((await stat(join(folder, name))).mode & 0o777).toBe(0o640);
  });

  test('makes no file before the first event', async () => {
    await open().close();
    expect(await readdir(folder)).toEqual([]);
  });

  test('many appends at once lose and mix nothing', async () => {
    const journal = open({ maxFileBytes: 5_000 });
    const all = Array.from({ length: 2000 }, (_, n) => event(n));
    await Promise.all(all.map((one) => journal.append([one])));
    expect((await lines()).sort()).toEqual([...all].sort());
  });

  test('a new file by size and by age', async () => {
    const journal = open({ maxFileBytes: 100 });
    for (let n = 0; n < 5; n++) await journal.append([event(n)]);
    expect(await names()).toHaveLength(3);
    expect(await lines()).toEqual([0, 1, 2, 3, 4].map(event));
    const aging = open({ maxFileAgeMs: 0, kind: 'pending' });
    for (let n = 0; n < 3; n++) await aging.append([event(n)]);
    expect(await names('pending')).toHaveLength(3);
  });

  test('beyond its limit the oldest goes, and that is said', async () => {
    const dropped: number[] = [];
    const journal = open({
      maxTotalBytes: 800,
      observer: { dropped: (_path, events) => void dropped.push(events) },
    });
    const one = event('0'.repeat(20));
    for (let n = 0; n < 100; n++) await journal.append([one]);
    const sizes = await Promise.all(
      (await names()).map(async (name) => (await stat(join(folder, name))).size),
    );
    const total = sizes.reduce((sum, size) => sum + size, 0);
    expect(total).toBeLessThanOrEqual(800);
    const lost = dropped.reduce((sum, events) => sum + events, 0);
    expect((await lines()).length + lost).toBe(100);
  });

  test('a file that somebody removed is replaced', async () => {
    const journal = open({ fsyncMs: 5 });
    await journal.append([event(1)]);
    const [first = ''] = await names();
    await unlink(join(folder, first));
    await expect
      .poll(async () => {
        await journal.append([event(2)]);
        return (await names()).length;
      })
      .toBe(1);
    expect(await names()).not.toEqual([first]);
  });

  test('a folder that cannot be: refused, said once, and it recovers', async () => {
    const failing: (string | undefined)[] = [];
    const blocked = join(folder, 'file');
    await writeFile(blocked, '');
    const journal = open({
      folder: blocked,
      observer: { failing: (error) => void failing.push(error?.message) },
    });
    for (let n = 0; n < 3; n++) {
      await expect(journal.append([event(n)])).rejects.toBeInstanceOf(StoreUnavailable);
    }
    await unlink(blocked);
    await journal.append([event(3)]);
    expect(failing).toHaveLength(2);
    expect(failing[0]?.replaceAll(folder, 'FOLDER')).toMatchInlineSnapshot(
      `"journal FOLDER/file: ENOTDIR: not a directory, scandir 'FOLDER/file'"`,
    );
    expect(failing[1]).toBeUndefined();
  });
});

describe('the replay', () => {
  function replay(target: EventAppender, options: { journal?: Journal } = {}) {
    const journal = options.journal ?? open({ kind: 'pending' });
    return new JournalReplay({ folder, journal, target, intervalMs: 3_600_000 });
  }

  test('hands over what waits, in order, and removes it', async () => {
    const journal = open({ kind: 'pending', maxFileBytes: 100 });
    const stream = new FakeStream();
    const replaying = replay(stream, { journal });
    for (let n = 0; n < 7; n++) await journal.append([event(n)]);
    expect(await replaying.run()).toBe(7);
    expect(stream.events).toEqual([0, 1, 2, 3, 4, 5, 6].map(event));
    expect(await readdir(folder)).toEqual([]);
    await journal.append([event(7)]);
    expect(await replaying.run()).toBe(1);
    expect(await replaying.run()).toBe(0);
    await replaying.close();
  });

  test('a stream that stays away makes no difference to the journal', async () => {
    const journal = open({ kind: 'pending' });
    const stream = new FakeStream();
    stream.away = true;
    const replaying = replay(stream, { journal });
    for (let n = 0; n < 5; n++) {
      await journal.append([event(n)]);
      expect(await replaying.run()).toBe(0);
    }
    expect(await names()).toHaveLength(1);
    stream.away = false;
    expect(await replaying.run()).toBe(5);
    expect(await readdir(folder)).toEqual([]);
    await replaying.close();
  });

  test('a stream that is away again: goes on where it stopped', async () => {
    const journal = open({ kind: 'pending' });
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
    expect(await readdir(folder)).toEqual([]);
    await replaying.close();
  });

  test('leaves the journal of those that stay, and the files of living writers', async () => {
    await open().append([event('stays')]);
    const living = `pending-20260101000000000-aaaaaaaaaa.${hostname().replace(/[^\w-]/g, '_')}.${process.ppid}.jsonl`;
    const time = new Date(Date.now()).toISOString().replace(/\D/g, '');
    const livingNow = living.replace('20260101000000000', time);
    const elsewhere = `pending-${time}-cccccccccc.another-host.1.jsonl`;
    const dead = `pending-20260101000000000-bbbbbbbbbb.${hostname().replace(/[^\w-]/g, '_')}.4194304.jsonl`;
    await writeFile(join(folder, livingNow), `${event('living')}\n`);
    await writeFile(join(folder, elsewhere), `${event('elsewhere')}\n`);
    await writeFile(
      join(folder, dead),
      `${event('dead')}\n{"msys":{"tra\nnonsense\n${event('too')}\n{"msys":`,
    );
    const stream = new FakeStream();
    const replaying = replay(stream);
    expect(await replaying.run()).toBe(2);
    expect(stream.events).toEqual([event('dead'), event('too')]);
    expect(await names('pending')).toEqual([livingNow, elsewhere].sort());
    await replaying.close();
  });

  test('a pid that is used again is not the writer', async () => {
    // The process of that number began after the file: so its writer is gone.
    const name = `pending-20200101000000000-aaaaaaaaaa.${hostname().replace(/[^\w-]/g, '_')}.${process.ppid}.jsonl`;
    await writeFile(join(folder, name), `${event('old')}\n`);
    const stream = new FakeStream();
    const replaying = replay(stream);
    expect(await replaying.run()).toBe(1);
    await replaying.close();
  });

  test('without a stream, what waits for one becomes part of the journal', async () => {
    const journal = open({ kind: 'pending' });
    await journal.append([event(1)]);
    const [name = ''] = await names();
    await journal.close();
    await rename(join(folder, name), join(folder, name.replace(/\.\d+\.jsonl/, '.4194304.jsonl')));
    await adoptPending(folder);
    expect(await names('pending')).toEqual([]);
    expect(await lines('events')).toEqual([event(1)]);
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
          const journal = open({ kind: 'pending', maxFileBytes: 200 });
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
          expect(await readdir(folder)).toEqual([]);
        },
      ),
      { numRuns: 15 },
    );
  });
});
