import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  countOf,
  formatNumbers,
  METRICS,
  noNumbers,
  parseNumbers,
} from '../../src/store/counting.ts';
import { fieldsOfEvent, isEventAbout, isEventLine } from '../../src/store/event-line.ts';
import {
  type CountLine,
  clickLine,
  parseCountLine,
  sentLine,
} from '../../src/store/local/count-file.ts';
import { DeadLetters } from '../../src/store/local/dead-letters.ts';
import { forgetInJournal } from '../../src/store/local/erase.ts';
import { Journal } from '../../src/store/local/journal.ts';
import { JournalConsumer, journalBacklog } from '../../src/store/local/journal-consumer.ts';
import { JournalReader } from '../../src/store/local/journal-reader.ts';
import { JournalReplay } from '../../src/store/local/journal-replay.ts';
import { FileReport } from '../../src/store/local/report.ts';
import { parseField } from '../../src/store/redis/count-fields.ts';
import { eventsOfFirstStream } from '../../src/store/redis/event-reader.ts';
import { damaged } from '../helpers/mutations.ts';
import { eventsDefaults } from '../helpers/option-defaults.ts';
import { exampleClick, toClickEvent } from './example-click.ts';

const EVENT = JSON.stringify(toClickEvent(exampleClick(), {}, 'id'));
const RECIPIENT = 'anna.smith@example.org';
const DAY = '2026-01-01';
const FACTS = { campaign: 'spring', pathway: 'news', recipientDomain: 'x.example', tags: ['vip'] };
const COUNTED = { ...FACTS, day: DAY, hour: `${DAY}T12` };
const CLICK = clickLine({
  messageId: 'm',
  clicks: { people: 2, automatic: 1 },
  counted: { ...COUNTED, link: { label: 'https://x/', part: 'html', position: 0 } },
});
const SENT = sentLine({ ...COUNTED, messages: 3, links: 40 });
const OLD_LINES = ['["sent","campaign","pathway",3,40]', '["click","m","c","p","https://x/",2]'];
const writtenAgain = (line: CountLine | undefined) =>
  line && ('sent' in line ? sentLine(line.sent) : clickLine(line.clicked));
const oneLine = (text: string) => text.replace(/\n/g, ' ');

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-decoders-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('a damaged value is read as what it is, or as nothing', () => {
  test('an event', () => {
    fc.assert(
      fc.property(damaged(EVENT), (text) => {
        const fields = fieldsOfEvent(text);
        if (fields !== undefined) expect(JSON.parse(text).msys.track_event).toEqual(fields);
        expect(isEventLine(text)).toBe(fields !== undefined);
        expect(isEventAbout(RECIPIENT, text)).toBe(fields?.['rcpt_to'] === RECIPIENT);
      }),
      { numRuns: 2000 },
    );
  });

  test('an entry of the stream', () => {
    const fields = fc.oneof(
      fc.constant(null),
      fc.array(fc.oneof(fc.constant('event'), fc.string(), damaged(EVENT)), { maxLength: 5 }),
    );
    const entries = fc.array(fc.tuple(fc.string(), fields));
    fc.assert(
      fc.property(entries, (all) => {
        for (const { event } of eventsOfFirstStream([['events', all]])) {
          expect(event === '' || isEventLine(event)).toBe(true);
        }
      }),
    );
    expect(eventsOfFirstStream(null)).toEqual([]);
    expect(eventsOfFirstStream([])).toEqual([]);
  });

  test('a field of a counter hash', () => {
    const field = JSON.stringify(['clicks', 'spring', 'https://x.example/']);
    fc.assert(
      fc.property(damaged(field), (text) => {
        const parsed = parseField(text);
        if (parsed === undefined) return;
        expect(['messages', 'links', 'clicks', 'rawClicks', 'uniqueClicks']).toContain(
          parsed.metric,
        );
        expect([typeof parsed.campaign, typeof parsed.key]).toEqual(['string', 'string']);
        expect(JSON.parse(text)).toEqual([parsed.metric, parsed.campaign, parsed.key]);
      }),
      { numRuns: 2000 },
    );
    const longest = ['clicks', '\u0001'.repeat(300), '\ud800'.repeat(300)];
    expect(parseField(JSON.stringify(longest))).toBeDefined();
    expect(parseField(`["clicks","${'x'.repeat(10_000_000)}",""]`)).toBeUndefined();
  });

  test('the numbers of a row', () => {
    const row = { ...noNumbers(), messages: 12, peopleClicks: 3 };
    expect(formatNumbers(row)).toBe('12,0,0,0,0,3');
    fc.assert(
      fc.property(damaged('12,24,7,0,3,120'), (text) => {
        const numbers = parseNumbers(text);
        if (numbers === undefined) return;
        expect(METRICS.every((metric) => Number.isSafeInteger(numbers[metric]))).toBe(true);
        expect(parseNumbers(formatNumbers(numbers))).toEqual(numbers);
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 9, maxLength: 9 }), (all) => {
        const numbers = { ...noNumbers() };
        for (const [at, metric] of METRICS.entries()) numbers[metric] = all[at] ?? 0;
        expect(parseNumbers(formatNumbers(numbers))).toEqual(numbers);
      }),
    );
    expect(
      ['', 'x', '1,', ',1', '-1', '1.5', '9'.repeat(16), '1,'.repeat(99)].map(parseNumbers),
    ).toEqual(Array(8).fill(undefined));
    // A later release may have one more number.
    expect(parseNumbers('1,2,3,4,5,6,7,8,9,10')?.automaticClicks).toBe(9);
  });

  test('a count', () => {
    expect(['0', '17', 5, 0].map(countOf)).toEqual([0, 17, 5, 0]);
    const wrong = [
      '',
      '-1',
      '1.5',
      '1e3',
      ' 1',
      'x',
      '9'.repeat(16),
      -1,
      0.5,
      NaN,
      2 ** 60,
      null,
      [],
      {},
    ];
    expect(wrong.map(countOf).filter((count) => count !== undefined)).toEqual([]);
  });

  test('a line of a file of counts', () => {
    const lines = [CLICK, SENT, ...OLD_LINES];
    fc.assert(
      fc.property(fc.oneof(...lines.map(damaged)), (text) => {
        const line = parseCountLine(text, DAY);
        if (line === undefined) return;
        const [counted, ...numbers] =
          'sent' in line
            ? [line.sent, line.sent.messages, line.sent.links]
            : [line.clicked.counted, ...Object.values(line.clicked.clicks)];
        const { campaign, pathway, recipientDomain, tags, hour } = counted;
        for (const one of [campaign, pathway, recipientDomain, hour, ...tags]) {
          expect(one).toBeTypeOf('string');
        }
        expect(numbers.every((number) => Number.isSafeInteger(number) && number >= 0)).toBe(true);
      }),
      { numRuns: 2000 },
    );
    expect(lines.map((line) => parseCountLine(line, DAY)).map(writtenAgain)).toEqual([
      CLICK,
      SENT,
      expect.any(String),
      expect.any(String),
    ]);
  });

  test('a file of counts: what can be read is reported, what cannot is counted', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(damaged(CLICK).map(oneLine)), async (lines) => {
        const text = [CLICK, ...lines].map((line) => `${line}\n`).join('');
        await writeFile(join(folder, `counts-${DAY}.host.1.jsonl`), text);
        const report = await new FileReport(folder).report({ by: 'link', until: DAY });
        const isBlank = (line: string) => /^ +$/.test(line);
        const bad = lines.filter((line) => !isBlank(line) && !parseCountLine(line, DAY));
        expect(report.unreadable).toBe(bad.length);
        expect(report.total.clicks).toBeGreaterThanOrEqual(2);
      }),
      { numRuns: 50 },
    );
  });
});

describe('a damaged journal', () => {
  const name = (kind: string) => `${kind}-20260101000000000-aaaaaaaaaa.elsewhere.1.jsonl`;
  const lines = fc.array(damaged(EVENT).map(oneLine), { maxLength: 10 });

  async function write(kind: string, all: readonly string[]): Promise<void> {
    await rm(folder, { recursive: true });
    await mkdir(folder);
    const path = join(folder, name(kind));
    await writeFile(path, all.map((line) => `${line}\n`).join(''));
    await utimes(path, 1, 1);
  }

  test('is read, counted, delivered and replayed as far as it is one', async () => {
    await fc.assert(
      fc.asyncProperty(lines, async (damagedLines) => {
        const all = [EVENT, ...damagedLines, EVENT];
        const events = all.filter(isEventLine);
        await write('events', all);
        const reader = new JournalReader({ folder, kinds: ['events'] });
        expect((await reader.next(100, 0)).map(({ event }) => event)).toEqual(events);
        const { oldest } = await journalBacklog(folder, 'events');
        expect(oldest).toBe(1_790_086_400_000);
        const consumer = new JournalConsumer(folder, 'webhook');
        const batch = await consumer.next(100, 0);
        expect(batch.map(({ event }) => event)).toEqual(events);
        await consumer.acknowledge(batch);

        await write('pending', all);
        const journal = new Journal({ ...eventsDefaults, folder, kind: 'pending' });
        const taken: string[] = [];
        const target = { append: async (some: readonly string[]) => void taken.push(...some) };
        const replay = new JournalReplay({ folder, journal, target, intervalMs: 3_600_000 });
        await replay.run();
        await replay.close();
        expect(taken).toEqual(events);
      }),
      { numRuns: 40 },
    );
  });

  test('a recipient is forgotten in it, and in dead letters', async () => {
    await fc.assert(
      fc.asyncProperty(lines, async (damagedLines) => {
        await write('events', [EVENT, ...damagedLines]);
        await new DeadLetters(folder).add([EVENT, ...damagedLines.filter(isEventLine)], 'HTTP 400');
        const about = damagedLines.filter((line) => isEventAbout(RECIPIENT, line)).length;
        expect(await forgetInJournal(folder, RECIPIENT)).toBe(2 * (1 + about));
        for (const file of await readdir(folder)) {
          const left = (await readFile(join(folder, file), 'utf8')).split('\n');
          expect(left.filter((line) => isEventAbout(RECIPIENT, line))).toEqual([]);
        }
      }),
      { numRuns: 40 },
    );
  });

  test('damaged offsets: everything is delivered or replayed, once more at worst', async () => {
    const id = '20260101000000000-aaaaaaaaaa';
    const size = 3 * (Buffer.byteLength(EVENT) + 1);
    const middle = size / 3;
    const state = JSON.stringify({ acknowledged: { [id]: middle }, read: { [id]: size } });
    await fc.assert(
      fc.asyncProperty(damaged(state), damaged(String(middle)), async (text, offset) => {
        await write('events', [EVENT, EVENT, EVENT]);
        await writeFile(join(folder, 'webhook.offsets.json'), text);
        const consumer = new JournalConsumer(folder, 'webhook');
        const left = await consumer.unacknowledged(100);
        await consumer.acknowledge(left);
        const rest = await consumer.next(100, 0);
        expect(left.length + rest.length).toBeLessThanOrEqual(6);
        for (const { event } of [...left, ...rest]) expect(event).toBe(EVENT);

        await write('pending', [EVENT, EVENT, EVENT]);
        await writeFile(join(folder, `pending-${id}.offset`), offset);
        const journal = new Journal({ ...eventsDefaults, folder, kind: 'pending' });
        const taken: string[] = [];
        const target = { append: async (some: readonly string[]) => void taken.push(...some) };
        const replay = new JournalReplay({ folder, journal, target, intervalMs: 3_600_000 });
        await replay.run();
        await replay.close();
        expect(taken.filter((event) => event !== EVENT)).toEqual([]);
        const skipped = /^\d{1,15}$/.test(offset) && Number(offset) <= size ? Number(offset) : 0;
        expect(taken).toHaveLength(3 - Math.ceil(skipped / middle));
      }),
      { numRuns: 60 },
    );
  });

  test('offsets beyond the end of a file: nothing is passed over', async () => {
    const id = '20260101000000000-aaaaaaaaaa';
    await write('events', [EVENT]);
    const beyond = { [id]: 1_000_000 };
    await writeFile(
      join(folder, 'webhook.offsets.json'),
      JSON.stringify({ acknowledged: beyond, read: beyond }),
    );
    const consumer = new JournalConsumer(folder, 'webhook');
    expect(await consumer.unacknowledged(100)).toEqual([]);
    expect(await consumer.next(100, 0)).toHaveLength(1);
  });
});
