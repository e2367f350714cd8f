import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { eventsCommand } from '../../src/commands/events.ts';
import { reportCommand } from '../../src/commands/report.ts';
import { reportTable } from '../../src/commands/report-table.ts';
import { FileCounters } from '../../src/store/local/counters.ts';
import { Journal } from '../../src/store/local/journal.ts';
import { eventsDefaults } from '../helpers/option-defaults.ts';
import { settle } from '../helpers/settle.ts';

let folder: string;
let events: string;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2026-11-29T12:00:00Z') });
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-report-'));
  events = join(folder, 'events');
  await writeFile(
    join(folder, 'clickmilter.conf'),
    `link_store = "sealed"\nstate_directory = "${folder}"\nevents { journal = "${events}" }\n`,
  );
});
afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
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
    const facts = { campaign: 'spring sale', pathway: 'news', recipientDomain: 'x.example' };
    counters.sent({ ...facts, time: SUNDAY, links: 20 });
  }
  counters.sent({ time: MONDAY, links: 2 });
  const facts = { campaign: 'spring sale', pathway: 'news' };
  const click = { ...facts, link: 'Shop', part: 'html', count: 1 } as const;
  for (let n = 0; n < 60; n++) {
    counters.book({ ...click, time: SUNDAY, messageId: `m${n}` }, n % 3 ? 'people' : 'automatic');
    const link = 'Blog\u001b[31m\u009b';
    counters.book({ ...click, time: MONDAY, messageId: `m${n % 6}`, link }, 'people');
  }
  await settle(counters);
  await counters.close();
}

/** Counts of the release before, of which the classes are not known. */
async function exampleOfBefore(): Promise<void> {
  const lines = ['["sent","old","news",10,20]', '["click","m","old","news","Shop",4]'];
  await mkdir(events, { recursive: true });
  const path = join(events, 'counts-2026-11-20.host.1.jsonl');
  await writeFile(path, lines.map((line) => `${line}\n`).join(''));
}

describe('clickmilter report', () => {
  const report = async (...args: string[]) => `\n${await clickmilter('report', ...args)}`;

  test('as a table: people first, all with --all', async () => {
    await example();
    expect(await report()).toMatchInlineSnapshot(`
      "
      campaign      messages   links  clicks  unique  rate  automatic
      spring sale      1,200  24,000     100      42  3.5%      16.7%
      (none)               1       2       0       0  0.0%
      total            1,201  24,002     100      42  3.5%      16.7%
      "
    `);
    expect(await report('--all')).toMatchInlineSnapshot(`
      "
      campaign      messages   links  clicks  raw  unique  rate
      spring sale      1,200  24,000     120   66      60  5.0%
      (none)               1       2       0    0       0  0.0%
      total            1,201  24,002     120   66      60  5.0%
      "
    `);
    expect(await report('--by', 'hour')).toMatchInlineSnapshot(`
      "
      hour           messages   links  clicks  unique    rate  automatic
      2026-11-22T00     1,200  24,000      40      40    3.3%      33.3%
      2026-11-23T00         1       2      60       2  200.0%       0.0%
      total             1,201  24,002     100      42    3.5%      16.7%
      "
    `);
    expect(await report('--by', 'link')).toMatchInlineSnapshot(`
      "
      link          clicks  unique  automatic
      Blog�[31m�        60       6       0.0%
      Shop              40      40      33.3%
      total            100      42      16.7%
      "
    `);
    expect(await report('--by', 'position', '--campaign', 'spring sale')).toMatchInlineSnapshot(`
      "
      position           clicks  unique  automatic
      html - Blog�[31m�      60       6       0.0%
      html - Shop            40      40      33.3%
      total                 100      42      16.7%
      "
    `);
  });

  test('counts of an earlier release are shown as of unknown class', async () => {
    await example();
    await exampleOfBefore();
    expect(await report()).toMatchInlineSnapshot(`
      "
      campaign      messages   links  clicks  unique  rate  automatic  unknown
      spring sale      1,200  24,000     100      42  3.5%      16.7%        0
      old                 10      20       0       0  0.0%       0.0%        4
      (none)               1       2       0       0  0.0%                   0
      total            1,211  24,022     100      42  3.5%      16.1%        4
      "
    `);
    expect(await report('--by', 'domain', '--campaign', 'old')).toMatchInlineSnapshot(`
      "
      domain        messages  links  clicks  unique  rate  automatic  unknown
      (unknown)           10     20       0       0  0.0%       0.0%        4
      total               10     20       0       0  0.0%       0.0%        4
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
            "link": "Blog�[31m�",
            "count_clicked": 60,
            "count_raw_clicked": 6,
            "count_unique_clicked": 6,
            "people_clicked": 60,
            "people_raw_clicked": 6,
            "people_unique_clicked": 6,
            "automatic_clicked": 0,
            "unknown_clicked": 0
          }
        ],
        "total": {
          "count_clicked": 60,
          "count_raw_clicked": 6,
          "count_unique_clicked": 0,
          "people_clicked": 60,
          "people_raw_clicked": 6,
          "people_unique_clicked": 2,
          "automatic_clicked": 0,
          "unknown_clicked": 0
        }
      }
      "
    `);
  });

  test('as CSV, which no spreadsheet takes for formulas', async () => {
    await example();
    const counters = new FileCounters({ folder: events });
    for (const campaign of ['=cmd|"/c calc"!A1', 'a, b', '-1', '\u001b[31m']) {
      counters.sent({ time: MONDAY, campaign, links: 1 });
    }
    await counters.close();
    expect(await report('--csv', '--since', '2026-11-23')).toMatchInlineSnapshot(`
      "
      campaign,messages,links,count_clicked,count_raw_clicked,count_unique_clicked,people_clicked,people_raw_clicked,people_unique_clicked,automatic_clicked,unknown_clicked
      ,1,2,0,0,0,0,0,0,0,0
      '-1,1,1,0,0,0,0,0,0,0,0
      "'=cmd|""/c calc""!A1",1,1,0,0,0,0,0,0,0,0
      "a, b",1,1,0,0,0,0,0,0,0,0
      spring sale,0,0,60,6,0,60,6,2,0,0
      �[31m,1,1,0,0,0,0,0,0,0,0
      "
    `);
  });

  test.each([
    ['--by position', 'by position: counted only of one campaign'],
    ['--by position --tag x', 'by position: counted only of one campaign'],
    ['--by domain --tag x', 'by domain: counted only of all mail or of one campaign'],
    ['--by tag --pathway x', 'by tag: counted only of all mail or of one campaign'],
    ['--campaign x --tag y', 'campaign and tag: not counted together; ask for one of them'],
  ])('%s is not counted', async (args, message) => {
    await expect(clickmilter('report', ...args.split(' '))).rejects.toMatchObject({
      exitCode: 64,
      message: `report: ${message}`,
    });
  });

  test('JSON is not CSV', async () => {
    await expect(clickmilter('report', '--json', '--csv')).rejects.toThrow(/cannot be used with/);
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

  test('--since after --until is refused', async () => {
    await expect(
      clickmilter('report', '--since', '2026-11-30', '--until', '2026-11-01'),
    ).rejects.toThrow('report: --since 2026-11-30: expected a day up to 2026-11-01 (--until)');
  });

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
  const text = reportTable('campaign', { rows, total: row('', 6) }, false, 80);
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
