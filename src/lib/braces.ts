/** A text with names in braces, such as `{sender_domain}`, is filled in with their values. */
const NAME = /\{([A-Za-z0-9_]+)\}/g;

/** The names in the texts, each once, without braces. */
export function namesInBraces(texts: readonly string[]): string[] {
  return [
    ...new Set(texts.flatMap((text) => [...text.matchAll(NAME)].map(([, name]) => name ?? ''))),
  ];
}

/** Whether a text has braces that hold no name. */
export function hasStrayBraces(text: string): boolean {
  return /[{}]/.test(text.replace(NAME, ''));
}

/**
 * Puts the value of each name in its place.
 * @returns undefined where a name has no value, or an empty one
 */
export function fillBraces(
  text: string,
  lookup: (name: string) => string | undefined,
): string | undefined {
  let isComplete = true;
  const filled = text.replace(NAME, (_, name: string) => {
    const value = lookup(name) ?? '';
    if (value === '') isComplete = false;
    return value;
  });
  return isComplete ? filled : undefined;
}
