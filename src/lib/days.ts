export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
export const DAY_SECONDS = 86_400;

/**
 * The UTC day and hour of a time: YYYY-MM-DD, YYYY-MM-DDTHH.
 * @param time Unix milliseconds
 */
export function dayAndHour(time: number): { readonly day: string; readonly hour: string } {
  const hours = Math.floor(time / HOUR_MS);
  if (hours !== last.hours) {
    const text = new Date(time).toISOString();
    last = { hours, day: text.slice(0, 10), hour: text.slice(0, 13) };
  }
  return last;
}

/** Most times are of the same hour, and a text is written slowly. */
let last = { hours: Number.NaN, day: '', hour: '' };

/**
 * The UTC day of a time: YYYY-MM-DD.
 * @param time Unix milliseconds
 */
export function dayOf(time: number): string {
  return dayAndHour(time).day;
}

/** The day that comes so many days after a UTC day, or before it: both YYYY-MM-DD. */
export function daysAfter(day: string, days: number): string {
  return dayOf(Date.parse(day) + days * DAY_MS);
}

/** @param key a UTC day or hour: YYYY-MM-DD, YYYY-MM-DDTHH. @returns Unix milliseconds */
export function timeOf(key: string): number {
  return Date.parse(key.length === 13 ? `${key}:00Z` : key);
}

/** Whether a text is an existing day, YYYY-MM-DD. (Date reads 2026-02-31 as a day in March.) */
export function isCalendarDay(text: string): boolean {
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}
