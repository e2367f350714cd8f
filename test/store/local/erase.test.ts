import {
  existsSync,
  readFileSync,
  renameSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ClickEventWriter } from '../../../src/click/click-event.ts';
import { forgetInJournal, removeFromJournal } from '../../../src/store/local/erase.ts';
import { journalBacklog } from '../../../src/store/local/journal-consumer.ts';
import { JournalReader } from '../../../src/store/local/journal-reader.ts';
import { JournalReplay } from '../../../src/store/local/journal-replay.ts';
import { eventLine, exampleClick } from '../../click/example-click.ts';
import { recordedLog } from '../../helpers/recorded.ts';
import { event, JournalFolder } from './journal-folder.ts';

const folder = new JournalFolder();
const writer = new ClickEventWriter({});
const eventOf = (recipient: string, n: number) =>
  eventLine(writer, exampleClick({}, { recipients: [recipient] }), `event-${n}`);

test('of a recipient nothing remains but blanks, and everybody else stays in his place', async () => {
  const journal = folder.open({ kind: 'pending' });
  const [first, second, third] = ['A@x.example', 'b@x.example', 'a@x.example'].map(eventOf);
  await journal.append([first, second, third].map(String));
  const reader = new JournalReader({ folder: folder.path, kinds: ['pending'] });
  expect(await reader.next(1, 0)).toHaveLength(1);

  expect(await forgetInJournal(folder.path, 'a@X.example')).toBe(2);
  const blank = (line = '') => ' '.repeat(Buffer.byteLength(line));
  expect(await folder.lines()).toEqual([blank(first), second, blank(third)]);
  expect(await journalBacklog(folder.path, 'pending')).toMatchObject({
    events: 1,
    oldest: 1_790_086_400_000,
  });
  await journal.append([eventOf('c@x.example', 4)]);
  const others = [second, eventOf('c@x.example', 4)];
  expect((await reader.next(10, 0)).map((one) => one.event)).toEqual(others);
  expect(await forgetInJournal(folder.path, 'a@x.example')).toBe(0);

  const replayed: string[] = [];
  const { logger, lines } = recordedLog();
  const replay = new JournalReplay({
    folder: folder.path,
    journal,
    target: { append: async (events) => void replayed.push(...events) },
    logger,
  });
  await replay.run();
  await replay.close();
  expect(replayed).toEqual(others);
  expect(lines.filter(({ level }) => level !== 'info')).toEqual([]);
});

test('a file that changes hands meanwhile is found under its new name, one that is gone is passed over', async () => {
  const journal = folder.open({ maxFileBytes: 1 });
  for (let n = 0; n < 100; n++) await journal.append([eventOf('a@x.example', n)]);
  await journal.rotate();
  const names = await folder.names();
  const path = (n: number, name = names.at(n) ?? '') => join(folder.path, name);
  const forgotten = forgetInJournal(folder.path, 'a@x.example');
  while (readFileSync(path(0), 'latin1').startsWith('{')) await new Promise(setImmediate);
  unlinkSync(path(-2));
  renameSync(path(-1), path(-1, names.at(-1)?.replace(/^events/, 'pending')));
  expect(await forgotten).toBe(99);
  expect((await folder.lines()).filter((line) => line.trim() !== '')).toEqual([]);
});

describe('events older than a time', () => {
  const DAY = 86_400_000;
  const now = Date.UTC(2026, 10, 29, 12);
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date'], now });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const at = (days: number, n: number) =>
    eventLine(writer, exampleClick({ time: now - days * DAY }), `event-${n}`);
  const blank = (line: string) => ' '.repeat(Buffer.byteLength(line));

  /** A file that was begun and last changed so many days ago. */
  function put(kind: string, begun: number, changed: number, ...lines: string[]): string {
    const id = new Date(now - begun * DAY).toISOString().replace(/\D/g, '');
    const path = join(folder.path, `${kind}-${id}-0000abcdef.elsewhere.1-1.jsonl`);
    writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
    utimesSync(path, (now - changed * DAY) / 1000, (now - changed * DAY) / 1000);
    return path;
  }

  test('are removed where the clock was ahead when the file was begun', async () => {
    put('events', -1000, -1000, at(91, 1), at(89, 2), at(-1000, 3));
    expect(await removeFromJournal(folder.path, now - 90 * DAY)).toBe(1);
    expect(await folder.lines('events')).toEqual([blank(at(91, 1)), at(89, 2), at(-1000, 3)]);
  });

  test('are removed: lines of files that go on, and whole files', async () => {
    const going = [at(100, 1), at(91, 2), at(89, 3), event(4), 'no event'];
    put('events', 100, 0, ...going);
    put('events', 80, 80, at(80, 5));
    // A file that was begun later has no older events, whatever a wrong clock wrote.
    put('events', 10, 10, at(200, 6));
    put('events', 120, 110, at(115, 7), at(111, 8));
    const pending = put('pending', 120, 110, at(115, 9), at(112, 10), at(111, 11));
    const offset = pending.replace(/\.elsewhere.*/, '.offset');
    writeFileSync(offset, String(Buffer.byteLength(at(115, 9)) + 1));
    writeFileSync(join(folder.path, 'dead-letters.jsonl'), `${at(100, 12)}\n${at(1, 13)}\n`);

    expect(await removeFromJournal(folder.path, now - 90 * DAY)).toBe(2 + 2 + 2 + 1);
    const [first = '', second = '', ...others] = going;
    expect(await folder.lines('events')).toEqual([
      blank(first),
      blank(second),
      ...others,
      at(80, 5),
      at(200, 6),
    ]);
    expect(await folder.names('pending')).toEqual([]);
    expect(existsSync(offset)).toBe(false);
    expect(await folder.lines('dead')).toEqual([blank(at(100, 12)), at(1, 13)]);
    expect(await removeFromJournal(folder.path, now - 90 * DAY)).toBe(0);
  });

  test('leave the place of the writer and of readers', async () => {
    const journal = folder.open();
    await journal.append([at(-1, 1), at(-3, 2)]);
    const reader = new JournalReader({ folder: folder.path, kinds: ['events'] });
    expect(await reader.next(1, 0)).toHaveLength(1);
    // As if the clock said a day when the first of them is too old.
    const [name = ''] = await folder.names();
    utimesSync(join(folder.path, name), now / 1000 + 5 * 86_400, now / 1000 + 5 * 86_400);
    expect(await removeFromJournal(folder.path, now + 2 * DAY)).toBe(1);
    await journal.append([at(-4, 3)]);
    expect((await reader.next(10, 0)).map((one) => one.event)).toEqual([at(-3, 2), at(-4, 3)]);
  });
});
