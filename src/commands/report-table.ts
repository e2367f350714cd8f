import { printable } from '../lib/printable.ts';
import type { Report, ReportBy, ReportRow } from '../store/counters.ts';
import { unknownClicks } from '../web/report-formats.ts';

/** The key of messages without campaign, pathway, tag or recipients' domain. */
const NONE = '(none)';
const MIN_KEY = 12;

interface Column {
  readonly title: string;
  readonly text: (row: ReportRow) => string;
}

const count = (value: number | undefined) => (value ?? 0).toLocaleString('en');
const percent = (part: number, whole: number | undefined) =>
  whole ? `${((100 * part) / whole).toFixed(1)}%` : '';
const column = (title: string, value: (row: ReportRow) => number | undefined): Column => ({
  title,
  text: (row) => count(value(row)),
});

const SENT = [column('messages', (row) => row.messages), column('links', (row) => row.links)];
/** People's clicks; the share of the automatic ones is of all clicks. */
const PEOPLE = {
  clicked: [
    column('clicks', (row) => row.peopleClicks),
    column('unique', (row) => row.peopleUniqueClicks),
  ],
  rate: {
    title: 'rate',
    text: ({ peopleUniqueClicks, messages }: ReportRow) => percent(peopleUniqueClicks, messages),
  },
  after: [
    {
      title: 'automatic',
      text: ({ automaticClicks, clicks }: ReportRow) => percent(automaticClicks, clicks),
    },
  ],
};
const ALL = {
  clicked: [
    column('clicks', (row) => row.clicks),
    column('raw', (row) => row.rawClicks),
    column('unique', (row) => row.uniqueClicks),
  ],
  rate: {
    title: 'rate',
    text: ({ uniqueClicks, messages }: ReportRow) => percent(uniqueClicks, messages),
  },
  after: [],
};
const UNKNOWN = column('unknown', unknownClicks);

/**
 * A table of plain text, no wider than the terminal. Days and hours are in order, other rows sorted
 * by the clicks that are shown.
 * @param all counts all clicks, instead of people's
 * @param width in columns
 */
export function reportTable(
  by: ReportBy,
  { rows, total }: Pick<Report, 'rows' | 'total'>,
  all: boolean,
  width: number,
): string {
  if (rows.length === 0) return 'No messages or clicks recorded.\n';
  const { clicked, rate, after } = all ? ALL : PEOPLE;
  const columns = [
    ...(total.messages === undefined ? clicked : [...SENT, ...clicked, rate]),
    ...after,
    ...(!all && unknownClicks(total) > 0 ? [UNKNOWN] : []),
  ];
  const sorted = [...rows];
  if (by !== 'day' && by !== 'hour') {
    const shown = (row: ReportRow) => (all ? row.clicks : row.peopleClicks);
    sorted.sort((a, b) => shown(b) - shown(a) || b.clicks - a.clicks);
  }
  const everyRow = [...sorted, total];
  const widths = columns.map(({ title, text }) =>
    everyRow.reduce((most, row) => Math.max(most, text(row).length), title.length),
  );
  const room = width - widths.reduce((sum, one) => sum + one + 2, 0);
  const longest = sorted.reduce((most, { key }) => Math.max(most, label(key).length), by.length);
  const keyWidth = Math.max(MIN_KEY, Math.min(longest, room));
  const line = (key: string, cells: readonly string[]) =>
    [cut(key, keyWidth), ...cells.map((cell, at) => cell.padStart(widths[at] ?? 0))]
      .join('  ')
      .trimEnd();
  const cellsOf = (row: ReportRow) => columns.map(({ text }) => text(row));
  const titles = columns.map(({ title }) => title);
  const lines = [
    line(by, titles),
    ...sorted.map((row) => line(label(row.key), cellsOf(row))),
    line('total', cellsOf(total)),
  ];
  return `${lines.join('\n')}\n`;
}

function label(key: string): string {
  return key === '' ? NONE : printable(key);
}

function cut(text: string, width: number): string {
  return text.length <= width ? text.padEnd(width) : `${text.slice(0, width - 1)}…`;
}
