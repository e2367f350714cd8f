import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { eventsCommand } from '../../src/commands/events.ts';
import { reportCommand, reportTable } from '../../src/commands/report.ts';
import { FileCounters } from '../../src/store/local/counters.ts';
import { Journal } from '../../src/store/local/journal.ts';
import { eventsDefaults } from '../helpers/option-defaults.ts';

let folder: string;
let events: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-report-'));
  events = join(folder, 'events');
  await writeFile(
    join(folder, 'clickmilter.conf'),
    `link_store = "sealed"\nstate_directory = "${folder}"\nevents { journal = "${events}" }\n`,
  );
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true, force: true });
});

async function clickmilter(...args: string[]): Promise<string> {
  const program = new Command().option('--config <file>').exitOverride();
  program.configureOutput({ writeErr: () => undefined });
  for (const register of [eventsCommand, reportCommand]) register(program);
  let output = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    output += String(chunk);
    return true;
  });
  try {
    await program.parseAsync(['--config', join(folder, 'clickmilter.conf'), ...args], {
      from: 'user',
    });
  } finally {
    vi.restoreAllMocks();
  }
  return output;
}

const [SUNDAY, MONDAY] = ['2026-11-22', '2026-11-23'].map(Date.parse) as [number, number];

async function example(): Promise<void> {
  const counters = new FileCounters({ folder: events });
  for (let n = 0; n < 1200; n++) {
    counters.sent({ time: SUNDAY, campaign: 'spring sale', pathway: 'news', links: 20 });
  }
  counters.sent({ time: MONDAY, links: 2 });
  const facts = { campaign: 'spring sale', pathway: 'news' };
  const click = { ...facts, link: 'Shop', part: 'html', count: 1 } as const;
  for (let n = 0; n < 60; n++) {
    counters.book({ ...click, time: SUNDAY, messageId: `m${n}` }, n % 3 ? 'people' : 'automatic');
    const link = 'Blog\u001b[31m\u009b';
    counters.book({ ...click, time: MONDAY, messageId: `m${n % 6}`, link }, 'people');
  }
  await counters.close();
}

describe('clickmilter report', () => {
  test('as a table', async () => {
    await example();
    expect(`\n${await clickmilter('report')}`).toMatchInlineSnapshot(`
      "
      campaign      messages   links  clicks  raw  unique  rate
      spring sale      1,200  24,000     120   66      60  5.0%
      (none)               1       2       0    0       0  0.0%
      total            1,201  24,002     120   66      60  5.0%
      "
    `);
    expect(`\n${await clickmilter('report', '--by', 'day')}`).toMatchInlineSnapshot(`
      "
      day           messages   links  clicks  raw  unique  rate
      2026-11-22       1,200  24,000      60   60      60  5.0%
      2026-11-23           1       2      60    6       0  0.0%
      total            1,201  24,002     120   66      60  5.0%
      "
    `);
    expect(`\n${await clickmilter('report', '--by', 'link')}`).toMatchInlineSnapshot(`
      "
      link          clicks  raw  unique
      Blog              60    6       6
      Shop              60   60      60
      total            120   66      60
      "
    `);
  });

  test('as JSON', async () => {
    await example();
    const args = ['--since', '2026-11-23', '--campaign', 'spring sale', '--by', 'link', '--json'];
    expect(await clickmilter('report', ...args)).toMatchInlineSnapshot(`
      "{
        "by": "link",
        "since": "2026-11-23",
        "campaign": "spring sale",
        "rows": [
          {
            "link": "Blog\\u001b[31m\\u009b",
            "count_clicked": 60,
            "count_raw_clicked": 6,
            "count_unique_clicked": 6
          }
        ],
        "total": {
          "count_clicked": 60,
          "count_raw_clicked": 6,
          "count_unique_clicked": 0
        }
      }
      "
    `);
  });

  test('of nothing', async () => {
    expect(await clickmilter('report')).toBe('No messages or clicks recorded.\n');
  });

  test.each(['7x', '2026-02-30', '2026-13-01', 'yesterday', '-1d'])(
    '--since %s is refused',
    async (since) => {
      await expect(clickmilter('report', `--since=${since}`)).rejects.toThrow(
        /such as 2026-01-31, or 7d/,
      );
    },
  );

  test('--since 1d is today', async () => {
    const counters = new FileCounters({ folder: events });
    const today = new Date().toISOString().slice(0, 10);
    counters.sent({ time: Date.now(), links: 1 });
    counters.sent({ time: Date.now() - 3 * 86_400_000, links: 1 });
    await counters.close();
    const { rows } = JSON.parse(
      await clickmilter('report', '--since', '1d', '--by', 'day', '--json'),
    );
    expect(rows).toMatchObject([{ day: today, messages: 1 }]);
  });
});

test('the table fits the terminal, whatever its names are', () => {
  const row = (key: string, clicks: number) => ({
    key,
    messages: 123_456_789,
    links: 123_456_789,
    clicks,
    rawClicks: clicks,
    uniqueClicks: clicks,
    peopleClicks: clicks,
    peopleRawClicks: clicks,
    peopleUniqueClicks: clicks,
    automaticClicks: 0,
  });
  const rows = [row('a'.repeat(500), 1), row('', 2), row('\u001b[2J\nevil\r', 3)];
  const text = reportTable('campaign', { rows, total: row('', 6) }, 80);
  for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  expect(text).not.toContain('\u001b');
  expect(text).not.toContain('\r');
  expect(
    text
      .split('\n')
      .slice(1, 4)
      .map((line) => line.slice(0, 6)),
  ).toEqual(['evil  ', '(none)', 'aaaaaa']);
});

describe('clickmilter events', () => {
  test('prints what the journal holds, oldest first', async () => {
    const journal = new Journal({ ...eventsDefaults, folder: events, kind: 'events' });
    const lines = [1, 2, 3].map((n) => `{"msys":{"track_event":{"event_id":"${n}"}}}`);
    for (const line of lines) await journal.append([line]);
    await journal.close();
    expect(await clickmilter('events')).toBe(`${lines.join('\n')}\n`);
  });

  test('with nothing that a terminal obeys', async () => {
    const journal = new Journal({ ...eventsDefaults, folder: events, kind: 'events' });
    const event = { msys: { track_event: { user_agent: '\u009b2J\u007f\u001b[1m é' } } };
    await journal.append([JSON.stringify(event)]);
    await journal.close();
    const output = await clickmilter('events');
    expect(output).toContain('"\\u009b2J\\u007f\\u001b[1m é"');
    expect(JSON.parse(output)).toEqual(event);
  });
});
