/**
 * The first items: at most `max`, and after the first one only as many as stay within `maxBytes`
 * together.
 */
export function firstWithin<T>(
  items: readonly T[],
  textOf: (item: T) => string,
  max: number,
  maxBytes: number,
): T[] {
  let bytes = 0;
  let count = 0;
  for (const item of items.slice(0, max)) {
    bytes += Buffer.byteLength(textOf(item));
    if (bytes > maxBytes && count > 0) break;
    count++;
  }
  return items.slice(0, count);
}
