import { readFileSync, renameSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ClickEventWriter } from '../../../src/click/click-event.ts';
import { forgetInJournal } from '../../../src/store/local/forget.ts';
import { journalBacklog } from '../../../src/store/local/journal-consumer.ts';
import { JournalReader } from '../../../src/store/local/journal-reader.ts';
import { JournalReplay } from '../../../src/store/local/journal-replay.ts';
import { exampleClick } from '../../click/example-click.ts';
import { recordedLog } from '../../helpers/recorded.ts';
import { JournalFolder } from './journal-folder.ts';

const folder = new JournalFolder();
const writer = new ClickEventWriter({});
const eventOf = (recipient: string, n: number) =>
  writer.write(exampleClick({}, { recipients: [recipient] }), `event-${n}`);

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
