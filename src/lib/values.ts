/** Momentum's booleans. @returns undefined for any other text */
export function parseBoolean(text: string): boolean | undefined {
  const word = text.trim().toLowerCase();
  if (['on', 'true', 'enabled', '1'].includes(word)) return true;
  if (['off', 'false', 'disabled', '0'].includes(word)) return false;
  return undefined;
}

/** One of some words in lower case, in whatever case it is written. @returns undefined for any other text */
export function parseChoice<const T extends string>(
  values: readonly T[],
  text: string,
): T | undefined {
  const word = text.trim().toLowerCase();
  return values.find((value) => value === word);
}

/** @returns undefined for any other text than a whole number within the bounds */
export function parseWholeNumber(text: string, min: number, max: number): number | undefined {
  const digits = text.trim();
  const value = /^\d{1,15}$/.test(digits) ? Number(digits) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}

/** Whether there is such a day, YYYY-MM-DD; Date takes 2026-02-31 for a day in March. */
export function isCalendarDay(text: string): boolean {
  const time = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}
