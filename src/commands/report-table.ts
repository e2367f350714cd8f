import { printable } from '../lib/printable.ts';
import type { ReportBy, ReportRow } from '../store/store.ts';

/** What stands where a message had no campaign or no pathway. */
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
 * A table of plain text, no wider than the terminal: days in their order, the rest by clicks.
 * @param width in columns
 */
export function reportTable(
  by: ReportBy,
  { rows, total }: { rows: readonly ReportRow[]; total: ReportRow },
  width: number,
): string {
  if (rows.length === 0) return 'Nothing was recorded.\n';
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
