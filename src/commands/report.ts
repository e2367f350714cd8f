import { type Command, InvalidArgumentError, Option } from 'commander';
import { noMetrics } from '../lib/metrics.ts';
import { printableJson } from '../lib/printable.ts';
import { isCalendarDay } from '../lib/values.ts';
import { StoreUnavailable } from '../link/link-store.ts';
import { openStore } from '../store/open-store.ts';
import type { ReportBy, ReportQuery, ReportRow } from '../store/store.ts';
import { configured } from './configured.ts';
import { CommandFailed, exitCode } from './exit-code.ts';
import { reportTable } from './report-table.ts';
import { stderrLogger } from './stderr-logger.ts';

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
  clicks    times that links were followed (Momentum's count_clicked)
  raw       links followed, each once a message (count_raw_clicked)
  unique    messages of which a link was followed (count_unique_clicked)
Messages count for the day of the injection, clicks for their own; raw and unique ones
for the day of the first. Days are UTC.`;

/** `clickmilter report`: messages, links and clicks in numbers. */
export function reportCommand(program: Command): void {
  program
    .command('report')
    .description('messages tracked and clicks in numbers')
    .addOption(
      new Option('--by <what>', 'one row for each')
        .choices(['link', 'campaign', 'pathway', 'day'])
        .default('campaign'),
    )
    .option('--campaign <id>', 'only this campaign')
    .option('--since <day>', 'from this day on: 2026-01-31, or 7d for the last seven', toDay)
    .option('--until <day>', 'up to this day', toDay)
    .option('--json', 'for scripts')
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
            `clickmilter: report: ${report.unreadable} counts are left out: they cannot be read\n`,
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

/** Under Momentum's names, where it has them. */
function numbersOf({ messages, links, clicks, rawClicks, uniqueClicks }: ReportRow) {
  return {
    ...(messages !== undefined && { messages }),
    ...(links !== undefined && { links }),
    count_clicked: clicks,
    count_raw_clicked: rawClicks,
    count_unique_clicked: uniqueClicks,
  };
}
