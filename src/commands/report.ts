import { type Command, InvalidArgumentError, Option } from 'commander';
import { DAY_MS, dayOf, isCalendarDay } from '../lib/days.ts';
import { printableJson } from '../lib/printable.ts';
import {
  NotCounted,
  REPORT_BY,
  type Report,
  type ReportQuery,
  type Reports,
} from '../store/counters.ts';
import { numbersOf, reportCsv } from '../web/report-formats.ts';
import { CommandFailed, exitCode } from './exit-code.ts';
import { reportTable } from './report-table.ts';
import { stderrLogger, withStore } from './with-store.ts';

interface ReportOptions extends ReportQuery {
  readonly all?: boolean;
  readonly json?: true;
  readonly csv?: true;
}

const NOTES = `
  messages   messages with tracked links
  links      tracked links in them
  clicks     people's clicks
  unique     messages of which people clicked a link
  rate       unique of messages
  automatic  share of clicks that programs made, such as scanners and previews
  unknown    clicks that an earlier release counted, which did not tell them apart
With --all, clicks, unique and rate are of people and programs, and there is
  raw        clicked links, each once per message
--json and --csv have both: Momentum's count_clicked, count_raw_clicked and
count_unique_clicked of all clicks; people_clicked, people_raw_clicked and
people_unique_clicked; automatic_clicked and unknown_clicked.
Messages count on the day of injection, clicks on their own day, raw and unique ones on
the day of the first click. Days and hours are UTC. Hours go back 14 days, days and the
hours of one campaign 400. Pathways and tags have days, hours, campaigns and links.
--by domain counts by the recipients' domain; --by position by the part of each link and
its place among the tracked links of the message, from 0 on, where that is known.`;

/** `clickmilter report` counts messages, links and clicks. */
export function reportCommand(program: Command): void {
  program
    .command('report')
    .description("count tracked messages, links and people's clicks")
    .addOption(new Option('--by <what>', 'one row per').choices(REPORT_BY).default('campaign'))
    .option('--campaign <id>', 'only this campaign')
    .option('--pathway <name>', 'only this pathway')
    .option('--tag <tag>', 'only this tag')
    .option('--since <day>', 'first day: 2026-01-31, or 7d for the last seven days', toDay)
    .option('--until <day>', 'last day', toDay)
    .option('--all', 'count the clicks of people and programs')
    .option('--json', 'print JSON')
    .addOption(new Option('--csv', 'print CSV').conflicts('json'))
    .addHelpText('after', NOTES)
    .action(async ({ all = false, json, csv, ...query }: ReportOptions) => {
      const { since, until } = query;
      if (since !== undefined && until !== undefined && since > until) {
        throw new CommandFailed(
          exitCode.usage,
          `report: --since ${since}: expected a day up to ${until} (--until)`,
        );
      }
      await withStore(program, stderrLogger, async ({ counters }) => {
        const report = await reportOf(counters, query);
        if (json) process.stdout.write(asJson(query, report));
        else if (csv) process.stdout.write(reportCsv(query.by, report));
        else process.stdout.write(reportTable(query.by, report, all, process.stdout.columns ?? 80));
        if (report.unreadable > 0) {
          process.stderr.write(
            `clickmilter: report: ${report.unreadable} counts skipped: they cannot be read\n`,
          );
        }
      });
    });
}

/** @throws CommandFailed for a query that no counts answer */
async function reportOf(counters: Reports, query: ReportQuery): Promise<Report> {
  try {
    return await counters.report(query);
  } catch (error) {
    if (!(error instanceof NotCounted)) throw error;
    throw new CommandFailed(exitCode.usage, `report: ${error.message}`);
  }
}

/** @returns a UTC day, YYYY-MM-DD */
function toDay(text: string): string {
  const days = /^(\d{1,4})d$/.exec(text)?.[1];
  if (days !== undefined) {
    return dayOf(Date.now() - (Math.max(1, Number(days)) - 1) * DAY_MS);
  }
  if (!isCalendarDay(text)) {
    throw new InvalidArgumentError('Give a day such as 2026-01-31, or 7d for the last seven days.');
  }
  return text;
}

function asJson(query: ReportQuery, { rows, total }: Report): string {
  const report = {
    ...query,
    rows: rows.map((row) => ({ [query.by]: row.key, ...numbersOf(row) })),
    total: numbersOf(total),
  };
  return `${printableJson(JSON.stringify(report, null, 2))}\n`;
}
