import type { Report, ReportBy, ReportRow } from '../store/counters.ts';
import { csvOf } from './csv.ts';
import type { Row } from './schemas.ts';

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

/** A row as it is in JSON. */
export function asJson(row: ReportRow): Row {
  return { key: row.key, ...numbersOf(row) };
}

/**
 * A report as CSV, without the total.
 * @param rows default: those of the report
 */
export function reportCsv(by: ReportBy, report: Report, rows = report.rows.map(asJson)): string {
  return csvOf(
    [by, ...Object.keys(numbersOf(report.total))],
    rows.map(({ key, ...numbers }) => ({ [by]: key, ...numbers })),
  );
}
