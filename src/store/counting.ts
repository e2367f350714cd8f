/** Rows of a report; the others are one row with the key OTHER_KEY. */
export const MAX_ROWS = 50_000;
/** Stands for campaigns, pathways and links that are not counted one by one. */
export const OTHER_KEY = '(other)';

/** Characters of a campaign, pathway or link that are counted: they come from outside. */
const MAX_TEXT = 300;

/** Cuts a campaign, pathway or link to the length that is counted. */
export function countedText(text: string): string {
  // A copy: a piece of a string keeps the whole string in memory.
  return text.length <= MAX_TEXT ? text : Buffer.from(text.slice(0, MAX_TEXT)).toString();
}

/** Reads a number of clicks or messages as it is stored. @returns undefined for anything else */
export function countOf(value: unknown): number | undefined {
  const count = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : undefined;
}
