import { BoundedCache } from './bounded-cache.ts';

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
  const pieces = split.getOrMake(text, () => text.split(NAME));
  let filled = pieces[0] ?? '';
  for (let i = 1; i < pieces.length; i += 2) {
    const value = lookup(pieces[i] ?? '');
    if (!value) return undefined;
    filled += value + pieces[i + 1];
  }
  return filled;
}

/** Texts in turn with the names between them: each message fills in the same few texts. */
const split = new BoundedCache<string, readonly string[]>(100);
