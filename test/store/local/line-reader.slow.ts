import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Journal } from '../../../src/store/local/journal.ts';
import { JournalReader } from '../../../src/store/local/journal-reader.ts';
import { JournalReplay } from '../../../src/store/local/journal-replay.ts';
import { eventsDefaults } from '../../helpers/option-defaults.ts';
import { recordedLog } from '../../helpers/recorded.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-lines-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const event = (n: number, target = '') =>
  `{"msys":{"track_event":{"event_id":"${n}","target_link_url":"https://x.example/${target}"}}}`;

/** What a replay hands over, and how many lines it passed over. */
async function replayed(journal: Journal): Promise<{ events: string[]; damaged: number }> {
  const outcome = { events: [] as string[], damaged: 0 };
  const { logger, lines } = recordedLog();
  const replay = new JournalReplay({
    folder,
    journal,
    target: { append: async (events) => void outcome.events.push(...events) },
    intervalMs: 3_600_000,
    logger,
  });
  await replay.run();
  await replay.close();
  await journal.close();
  for (const line of lines) outcome.damaged += Number(line['lines'] ?? 0);
  return outcome;
}

async function read(): Promise<string[]> {
  const reader = new JournalReader({ folder, kinds: ['pending'] });
  const events: string[] = [];
  for (;;) {
    const next = await reader.next(100, 0);
    if (next.length === 0) return events;
    events.push(...next.map((one) => one.event));
  }
}

test.each([1_500_000, 15_000_000])('an event of %d bytes is one like others', async (bytes) => {
  const events = [event(1), event(2, 'y'.repeat(bytes)), ...[3, 4, 5].map((n) => event(n))];
  const journal = new Journal({
    ...eventsDefaults,
    folder,
    kind: 'pending',
    writeTimeoutMs: 30_000,
  });
  for (const one of events) await journal.append([one]);
  expect(await read()).toEqual(events);
  expect(await replayed(journal)).toEqual({ events, damaged: 0 });
  expect(await readdir(folder)).toEqual([]);
});

test('a line longer than any event is passed over, and what follows it is not', async () => {
  const long = event(2, 'y'.repeat(40 * 1024 * 1024));
  const path = join(folder, 'pending-20260101000000000-aaaaaaaaaa.elsewhere.1.jsonl');
  await writeFile(path, `${event(1)}\n${long}\n${event(3)}\n${long}\n`);
  await utimes(path, 0, 0);
  expect(await read()).toEqual([event(1), event(3)]);
  const journal = new Journal({ ...eventsDefaults, folder, kind: 'pending' });
  expect(await replayed(journal)).toEqual({ events: [event(1), event(3)], damaged: 2 });
  expect(await readdir(folder)).toEqual([]);
});
