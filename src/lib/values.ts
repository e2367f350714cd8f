/**
 * Parses Momentum's booleans.
 * @returns undefined for any other text
 */
export function parseBoolean(text: string): boolean | undefined {
  const word = text.trim().toLowerCase();
  if (['on', 'true', 'enabled', '1'].includes(word)) return true;
  if (['off', 'false', 'disabled', '0'].includes(word)) return false;
  return undefined;
}

/**
 * Parses one of several words, which are in lower case, regardless of case.
 * @returns undefined for any other text
 */
export function parseChoice<const T extends string>(
  values: readonly T[],
  text: string,
): T | undefined {
  const word = text.trim().toLowerCase();
  return values.find((value) => value === word);
}

/**
 * Parses a whole number.
 * @returns undefined for any other text, and for a number out of bounds
 */
export function parseWholeNumber(text: string, min: number, max: number): number | undefined {
  const digits = text.trim();
  const value = /^\d{1,15}$/.test(digits) ? Number(digits) : Number.NaN;
  return value >= min && value <= max ? value : undefined;
}

/** Parses JSON. @returns undefined for any other text */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether a value is an object as JSON has them: with names, not a list, and not null. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns the value of a key, which is made and added if there is none. */
export function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
