import { type Static, Type } from 'typebox';
import type { AgeRow } from '../store/engagement.ts';

/** Hours after the first message at which clicks are summed: they are even on a logarithmic axis. */
const MARKS = [
  1, 2, 3, 4, 6, 8, 12, 18, 24, 36, 48, 72, 96, 120, 168, 240, 336, 504, 720, 1440, 2160, 4320,
  9600,
];

/** The clicks up to a time after the first message. */
export const SinceFirst = Type.Object({
  hours: Type.Integer({
    minimum: 1,
    description: 'Hours since the hour of the first message, or since its day.',
  }),
  people_clicked: Type.Integer({ minimum: 0, description: "People's clicks until then." }),
  automatic_clicked: Type.Integer({ minimum: 0, description: 'Automatic clicks until then.' }),
});
export type SinceFirst = Static<typeof SinceFirst>;

/**
 * Sums clicks since the first message, up to the last click.
 * @param ages in their order
 */
export function sinceFirst(ages: readonly AgeRow[]): SinceFirst[] {
  const sums: SinceFirst[] = [];
  let people_clicked = 0;
  let automatic_clicked = 0;
  let at = 0;
  for (const mark of MARKS) {
    if (at === ages.length) break;
    for (let row = ages[at]; row && row.to <= mark; row = ages[++at]) {
      people_clicked += row.peopleClicks;
      automatic_clicked += row.automaticClicks;
    }
    sums.push({ hours: mark, people_clicked, automatic_clicked });
  }
  return sums;
}
