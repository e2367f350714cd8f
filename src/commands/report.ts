import { type Command, InvalidArgumentError, Option } from 'commander';
import { noMetrics } from '../lib/metrics.ts';
import { printable, printableJson } from '../lib/printable.ts';
import { isCalendarDay } from '../lib/values.ts';
import { StoreUnavailable } from '../link/link-store.ts';
import { openStore } from '../store/open-store.ts';
import type { ReportBy, ReportQuery, ReportRow } from '../store/store.ts';
import { configured, stderrLogger } from './configured.ts';
import { CommandFailed, exitCode } from './exit-code.ts';

interface ReportOptions {
  readonly by: ReportBy;
  readonly campaign?: string;
  readonly since?: string;
  readonly until?: string;
  readonly json?: true;
}

const DAY_MS = 86_400_000;
const NOTES = `
  messages  messages with tracked links
  links     tracked links in them
  clicks    clicks (Momentum's count_clicked)
  raw       clicked links, each once per message (count_raw_clicked)
  unique    messages with a clicked link (count_unique_clicked)
Messages count on the day of injection, clicks on their own day, raw and unique ones on
the day of the first click. Days are UTC.`;

/** `clickmilter report` counts messages, links and clicks. */
export function reportCommand(program: Command): void {
  program
    .command('report')
    .description('count tracked messages, links and clicks')
    .addOption(
      new Option('--by <what>', 'one row per')
        .choices(['link', 'campaign', 'pathway', 'day'])
        .default('campaign'),
    )
    .option('--campaign <id>', 'only this campaign')
    .option('--since <day>', 'first day: 2026-01-31, or 7d for the last seven days', toDay)
    .option('--until <day>', 'last day', toDay)
    .option('--json', 'print JSON')
    .addHelpText('after', NOTES)
    .action(async (options: ReportOptions) => {
      const { json, ...query } = options;
      const store = await openStore(configured(program), stderrLogger, noMetrics);
      try {
        const report = await store.counters.report(query);
        const text = json
          ? `${printableJson(JSON.stringify(asJson(query, report), null, 2))}\n`
          : reportTable(query.by, report, process.stdout.columns ?? 80);
        process.stdout.write(text);
        if (report.unreadable > 0) {
          process.stderr.write(
            `clickmilter: report: ${report.unreadable} counts skipped: they cannot be read\n`,
          );
        }
      } catch (error) {
        if (error instanceof StoreUnavailable) {
          throw new CommandFailed(exitCode.unavailable, error.message);
        }
        throw error;
      } finally {
        await store.close();
      }
    });
}

/** @returns a UTC day, YYYY-MM-DD */
function toDay(text: string): string {
  const days = /^(\d{1,4})d$/.exec(text)?.[1];
  if (days !== undefined) {
    const since = Date.now() - (Math.max(1, Number(days)) - 1) * DAY_MS;
    return new Date(since).toISOString().slice(0, 10);
  }
  if (!isCalendarDay(text)) {
    throw new InvalidArgumentError('Give a day such as 2026-01-31, or 7d for the last seven days.');
  }
  return text;
}

function asJson(
  query: ReportQuery,
  { rows, total }: { rows: readonly ReportRow[]; total: ReportRow },
) {
  return {
    ...query,
    rows: rows.map((row) => ({ [query.by]: row.key, ...numbersOf(row) })),
    total: numbersOf(total),
  };
}

/** The numbers under Momentum's names, if it has them. */
function numbersOf({ messages, links, clicks, rawClicks, uniqueClicks }: ReportRow) {
  return {
    ...(messages !== undefined && { messages }),
    ...(links !== undefined && { links }),
    count_clicked: clicks,
    count_raw_clicked: rawClicks,
    count_unique_clicked: uniqueClicks,
  };
}

/** The key of messages without campaign or pathway. */
const NONE = '(none)';
const MIN_KEY = 12;

interface Column {
  readonly title: string;
  readonly text: (row: ReportRow) => string;
}

const count = (value: number | undefined) => (value ?? 0).toLocaleString('en');

const SENT: readonly Column[] = [
  { title: 'messages', text: (row) => count(row.messages) },
  { title: 'links', text: (row) => count(row.links) },
];
const CLICKED: readonly Column[] = [
  { title: 'clicks', text: (row) => count(row.clicks) },
  { title: 'raw', text: (row) => count(row.rawClicks) },
  { title: 'unique', text: (row) => count(row.uniqueClicks) },
];
const RATE: Column = {
  title: 'rate',
  text: ({ messages, uniqueClicks }) =>
    messages ? `${((100 * uniqueClicks) / messages).toFixed(1)}%` : '',
};

/**
 * A table of plain text, no wider than the terminal. Days are in order, other rows sorted by
 * clicks.
 * @param width in columns
 */
export function reportTable(
  by: ReportBy,
  { rows, total }: { rows: readonly ReportRow[]; total: ReportRow },
  width: number,
): string {
  if (rows.length === 0) return 'No messages or clicks recorded.\n';
  const columns = by === 'link' ? CLICKED : [...SENT, ...CLICKED, RATE];
  const sorted = by === 'day' ? rows : [...rows].sort((a, b) => b.clicks - a.clicks);
  const all = [...sorted, total];
  const widths = columns.map(({ title, text }) =>
    Math.max(title.length, ...all.map((row) => text(row).length)),
  );
  const room = width - widths.reduce((sum, one) => sum + one + 2, 0);
  const longest = Math.max(by.length, ...sorted.map((row) => label(row.key).length));
  const keyWidth = Math.max(MIN_KEY, Math.min(longest, room));
  const line = (key: string, cells: readonly string[]) =>
    [cut(key, keyWidth), ...cells.map((cell, at) => cell.padStart(widths[at] ?? 0))]
      .join('  ')
      .trimEnd();
  const lines = [
    line(
      by,
      columns.map(({ title }) => title),
    ),
    ...sorted.map((row) =>
      line(
        label(row.key),
        columns.map(({ text }) => text(row)),
      ),
    ),
    line(
      'total',
      columns.map(({ text }) => text(total)),
    ),
  ];
  return `${lines.join('\n')}\n`;
}

function label(key: string): string {
  return key === '' ? NONE : printable(key);
}

function cut(text: string, width: number): string {
  return text.length <= width ? text.padEnd(width) : `${text.slice(0, width - 1)}…`;
}
