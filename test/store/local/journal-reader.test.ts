import {
  mkdir,
  mkdtemp,
  readdir,
  rename,
  rm,
  rmdir,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { EventReader } from '../../../src/store/events.ts';
import { Journal } from '../../../src/store/local/journal.ts';
import { JournalConsumer } from '../../../src/store/local/journal-consumer.ts';
import { JournalReader, UnreadableFiles } from '../../../src/store/local/journal-reader.ts';
import { eventsDefaults } from '../../helpers/option-defaults.ts';
import { recordedLog } from '../../helpers/recorded.ts';

let folder: string;
let journal: Journal;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-reader-'));
  journal = new Journal({ ...eventsDefaults, folder, kind: 'events', maxFileBytes: 200 });
});
afterEach(async () => {
  await journal.close();
  await rm(folder, { recursive: true, force: true });
});

const event = (n: number) => `{"msys":{"track_event":{"event_id":"${n}"}}}`;
const append = (...numbers: number[]) => journal.append(numbers.map(event));
async function read(reader: EventReader, max = 100, waitMs = 0): Promise<number[]> {
  const events = await reader.next(max, waitMs);
  return events.map((one) => Number(JSON.parse(one.event).msys.track_event.event_id));
}

describe('reading the journal', () => {
  test('from the oldest event on, in portions, over the ends of files', async () => {
    for (let n = 0; n < 12; n++) await append(n);
    const reader = new JournalReader({ folder, kinds: ['events'] });
    expect((await readdir(folder)).length).toBeGreaterThan(2);
    expect(await read(reader, 5)).toEqual([0, 1, 2, 3, 4]);
    expect(await read(reader, 100)).toEqual([5, 6, 7, 8, 9, 10, 11]);
    expect(await read(reader)).toEqual([]);
    await append(12);
    expect(await read(reader)).toEqual([12]);
  });

  test('from now on, waiting for what comes', async () => {
    await append(1);
    const reader = new JournalReader({ folder, kinds: ['events'], from: 'newest', pollMs: 5 });
    expect(await read(reader)).toEqual([]);
    const waiting = read(reader, 100, 10_000);
    await append(2);
    expect(await waiting).toEqual([2]);
  });

  test('closing ends the wait', async () => {
    const reader = new JournalReader({ folder, kinds: ['events'] });
    const waiting = read(reader, 100, 60_000);
    await reader.close();
    expect(await waiting).toEqual([]);
  });

  test('a file that the clock took for abandoned is looked at again', async () => {
    await append(1);
    const options = { folder, kinds: ['events'] as const, lookAgainMs: 50 };
    const reader = new JournalReader(options);
    expect(await read(reader)).toEqual([1]);
    vi.useFakeTimers({ toFake: ['Date', 'performance'], now: Date.now() + 3_600_000 });
    onTestFinished(() => void vi.useRealTimers());
    expect(await read(reader)).toEqual([]);
    vi.setSystemTime(Date.now() - 3_600_000);
    await append(2);
    expect(await read(reader)).toEqual([]);
    vi.advanceTimersByTime(51);
    expect(await read(reader)).toEqual([2]);
  });

  test('a folder that is not there yet', async () => {
    const reader = new JournalReader({ folder: join(folder, 'later'), kinds: ['events'] });
    expect(await read(reader)).toEqual([]);
  });

  test('a file that cannot be read is named once and left out until it can be', async () => {
    await append(1);
    const [name = ''] = await readdir(folder);
    const old = join(folder, name.replace(/-\d{17}/, '-20200101000000000'));
    await mkdir(old);
    const { logger, lines } = recordedLog();
    const unreadable = new UnreadableFiles(logger);
    const reader = new JournalReader({ folder, kinds: ['events'], unreadable });
    expect(await read(reader)).toEqual([1]);
    await append(2);
    expect(await read(reader)).toEqual([2]);
    await rm(old, { recursive: true });
    await writeFile(old, `${event(0)}\n`);
    expect(await read(reader)).toEqual([0]);
    expect(lines).toMatchObject([
      { path: old, reason: 'EISDIR: illegal operation on a directory, read' },
    ]);
  });

  test.each([
    ['that may grow is looked at again', 600, 1],
    ['that was read to its end and grows no more is not', 1300, 0],
  ])('a file %s', async (_name, age, looks) => {
    await append(1);
    const [path = ''] = (await readdir(folder)).map((name) => join(folder, name));
    const written = Date.now() / 1000 - age;
    await utimes(path, written, written);
    const { logger, lines } = recordedLog();
    const unreadable = new UnreadableFiles(logger);
    const reader = new JournalReader({ folder, kinds: ['events'], unreadable });
    expect(await read(reader, 1)).toEqual([1]);
    expect(await read(reader)).toEqual([]);
    await rm(path);
    await mkdir(path);
    expect(await read(reader)).toEqual([]);
    expect(lines).toHaveLength(looks);
  });

  test('goes on in a file that was taken over by another process, and forgets removed ones', async () => {
    await append(1, 2);
    const reader = new JournalReader({ folder, kinds: ['events'] });
    expect(await read(reader, 1)).toEqual([1]);
    const [name = ''] = await readdir(folder);
    await rename(join(folder, name), join(folder, name.replace(/\d+-\d+\.jsonl/, '99-1.jsonl')));
    expect(await read(reader)).toEqual([2]);
    expect(reader.offsets.size).toBe(1);
    for (const file of await readdir(folder)) await unlink(join(folder, file));
    expect(await read(reader)).toEqual([]);
    expect(reader.offsets.size).toBe(0);
  });
});

describe('consuming the journal', () => {
  const open = () => new JournalConsumer(folder, 'webhook');
  const unacknowledged = async (consumer: JournalConsumer, max = 100) =>
    (await consumer.unacknowledged(max)).map(({ event: line }) =>
      Number(JSON.parse(line).msys.track_event.event_id),
    );

  test('what was read and not acknowledged comes back, and nothing else', async () => {
    await append(...Array.from({ length: 10 }, (_, n) => n));
    const first = open();
    expect(await unacknowledged(first)).toEqual([]);
    await first.acknowledge(await first.next(4, 0));
    expect(await read(first, 3)).toEqual([4, 5, 6]);
    const second = open();
    expect(await unacknowledged(second)).toEqual([4, 5, 6]);
    await second.acknowledge(await second.unacknowledged(100));
    expect(await unacknowledged(second)).toEqual([]);
    expect(await read(second)).toEqual([7, 8, 9]);
    expect(await unacknowledged(open())).toEqual([7, 8, 9]);
  });

  test('events whose place cannot be saved are read again', async () => {
    await append(0, 1, 2, 3);
    const consumer = open();
    expect(await read(consumer, 2)).toEqual([0, 1]);
    const inTheWay = join(folder, 'webhook.offsets.json');
    await rename(inTheWay, `${inTheWay}.kept`);
    await mkdir(inTheWay);
    await expect(consumer.next(100, 0)).rejects.toThrow(/EISDIR/);
    await expect(consumer.acknowledge([])).rejects.toThrow(/EISDIR/);
    await rmdir(inTheWay);
    await rename(`${inTheWay}.kept`, inTheWay);
    expect(await read(consumer)).toEqual([2, 3]);
    expect(await unacknowledged(open())).toEqual([0, 1, 2, 3]);
  });

  test('with several writers at once', async () => {
    const other = new Journal({ ...eventsDefaults, folder, kind: 'events' });
    await append(1);
    await other.append([event(100)]);
    const consumer = open();
    expect((await read(consumer)).sort((a, b) => a - b)).toEqual([1, 100]);
    await append(2, 3);
    await other.append([event(101)]);
    expect((await unacknowledged(open())).sort((a, b) => a - b)).toEqual([1, 100]);
    await other.close();
  });

  test('the backlog falls with what is acknowledged', async () => {
    const at = (seconds: number) => `{"msys":{"track_event":{"timestamp":"${seconds}"}}}`;
    const consumer = open();
    expect(await consumer.backlog()).toEqual({ events: 0 });
    await journal.append([at(1000), at(2000), at(3000)]);
    expect(await consumer.backlog()).toEqual({ events: 3, oldest: 1_000_000 });
    const [first, ...others] = await consumer.next(100, 0);
    await consumer.acknowledge(first ? [first] : []);
    expect(await consumer.backlog()).toEqual({ events: 2, oldest: 2_000_000 });
    await mkdir(join(folder, 'events-20200101000000000-aaaaaaaaaa.other.1-1.jsonl'));
    await consumer.acknowledge(others);
    expect(await consumer.backlog()).toEqual({ events: 0 });
  });
});
