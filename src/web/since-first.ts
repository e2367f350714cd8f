import { type Static, Type } from 'typebox';
import type { Row } from './schemas.ts';
import { timeOf } from './summary.ts';

const HOUR_MS = 3_600_000;

/** Hours after the first message at which clicks are summed: they are even on a logarithmic axis. */
const MARKS = [
  1, 2, 3, 4, 6, 8, 12, 18, 24, 36, 48, 72, 96, 120, 168, 240, 336, 504, 720, 1440, 2160, 4320,
  9600,
];

/** The clicks up to a time after the first message. */
export const SinceFirst = Type.Object({
  hours: Type.Integer({ minimum: 1, description: 'Hours since the one of the first message.' }),
  people_clicked: Type.Integer({ minimum: 0, description: "People's clicks until then." }),
  automatic_clicked: Type.Integer({ minimum: 0, description: 'Automatic clicks until then.' }),
});
export type SinceFirst = Static<typeof SinceFirst>;

/**
 * Sums clicks since the first message, up to the last click.
 * @param hours in their order
 */
export function sinceFirst(hours: readonly Row[]): SinceFirst[] {
  const start = hours.findIndex(({ messages = 0 }) => messages > 0);
  const first = hours[start];
  if (first === undefined) return [];
  const sums: SinceFirst[] = [];
  let people_clicked = 0;
  let automatic_clicked = 0;
  let at = start;
  for (const mark of MARKS) {
    for (let row = hours[at]; row && hoursBetween(first, row) < mark; row = hours[++at]) {
      people_clicked += row.people_clicked;
      automatic_clicked += row.automatic_clicked;
    }
    sums.push({ hours: mark, people_clicked, automatic_clicked });
    if (at === hours.length) break;
  }
  return sums;
}

const hoursBetween = (first: Row, row: Row) => (timeOf(row.key) - timeOf(first.key)) / HOUR_MS;
