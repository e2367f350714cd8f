import { printable } from '../lib/printable.ts';
import type { Report, ReportBy, ReportRow } from '../store/store.ts';

/** Clicks that an earlier release counted, which did not tell people and machines apart. */
export function unknownClicks({ clicks, peopleClicks, automaticClicks }: ReportRow): number {
  return Math.max(0, clicks - peopleClicks - automaticClicks);
}

/** The numbers of a row under Momentum's names, if it has them. */
export function numbersOf(row: ReportRow) {
  const { messages, links } = row;
  return {
    ...(messages !== undefined && { messages }),
    ...(links !== undefined && { links }),
    count_clicked: row.clicks,
    count_raw_clicked: row.rawClicks,
    count_unique_clicked: row.uniqueClicks,
    people_clicked: row.peopleClicks,
    people_raw_clicked: row.peopleRawClicks,
    people_unique_clicked: row.peopleUniqueClicks,
    automatic_clicked: row.automaticClicks,
    unknown_clicked: unknownClicks(row),
  };
}

/** CSV as RFC 4180 has it, without the total. */
export function reportCsv(by: ReportBy, { rows, total }: Report): string {
  const names = [by, ...Object.keys(numbersOf(total))];
  const lines = rows.map((row) => [csvText(row.key), ...Object.values(numbersOf(row))]);
  return [names, ...lines].map((line) => `${line.join(',')}\r\n`).join('');
}

/**
 * Foreign text: without control characters, and nothing that a spreadsheet takes for a formula. A
 * spreadsheet may split cells at a semicolon too, or take full-width signs for plain ones.
 */
function csvText(text: string): string {
  const plain = printable(text).replace(/^\s*[=+@\-\uff1d\uff0b\uff20\uff0d]/, "'$&");
  return /[",;]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
