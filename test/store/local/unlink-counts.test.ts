import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ClickEventWriter } from '../../../src/click/click-event.ts';
import { FileCounters } from '../../../src/store/local/counters.ts';
import { forgetInJournal } from '../../../src/store/local/erase.ts';
import { Journal } from '../../../src/store/local/journal.ts';
import { FileReport } from '../../../src/store/local/report.ts';
import { eventLine, exampleClick } from '../../click/example-click.ts';
import { eventsDefaults } from '../../helpers/option-defaults.ts';
import { settle } from '../../helpers/settle.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-unlink-'));
});
afterEach(() => rm(folder, { recursive: true }));

test("no id leads from a forgotten recipient's events to counts, and sums stay", async () => {
  const [gone, stays] = ['GoneGoneGoneGone', 'StaysStaysStays_'];
  const journal = new Journal({ ...eventsDefaults, folder, kind: 'events' });
  const writer = new ClickEventWriter({});
  for (const messageId of [gone, stays]) {
    const recipients = [`${messageId === gone ? 'gone' : 'stays'}@x.example`];
    await journal.append([eventLine(writer, exampleClick({}, { messageId, recipients }), 'id')]);
  }
  await journal.close();
  const counters = new FileCounters({ folder, flushMs: 60_000 });
  const time = Date.now();
  const facts = { campaign: `a "ü" ${gone}`, recipientDomain: 'x.example', time };
  for (const [messageId, link] of [
    [gone, 'Shop'],
    [gone, 'Blog'],
    [stays, 'Shop'],
  ] as const) {
    counters.book({ ...facts, messageId, link, part: 'html', count: 2 }, 'people');
  }
  await settle(counters);
  const day = new Date(time).toISOString().slice(0, 10);
  // An earlier release counted on another host.
  const old = `["click","${gone}","","","Shop",1]\n["click","${stays}","","","Shop",1]\n`;
  await writeFile(join(folder, `counts-${day}.other.1.jsonl`), old);
  const all = () =>
    Promise.all(
      (['domain', 'link', 'day'] as const).map((by) => new FileReport(folder).report({ by })),
    );
  const before = await all();

  expect(await forgetInJournal(folder, 'GONE@x.example')).toBe(1);
  expect(await all()).toEqual(before);
  const files = (await readdir(folder)).filter((name) => name.startsWith('counts-'));
  const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')));
  expect(files).toHaveLength(2);
  for (const text of texts) {
    expect(text).not.toContain(`"${gone}"`);
    expect(text).toContain(`"${stays}"`);
  }
  await counters.close();
});
