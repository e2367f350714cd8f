/** Ranges of an Accept-Language header that are read: browsers send a handful. */
const MAX_RANGES = 20;

interface Range {
  /** A language tag in lower case, or `*`. */
  readonly tag: string;
  readonly weight: number;
}

/**
 * Chooses the language that a reader wants most (RFC 9110 § 12.5.4, RFC 4647 § 3.4): of `de-AT`,
 * de-at if there is such a page, else de.
 * @param header Accept-Language
 * @param available tags in lower case
 * @returns undefined where the reader names none of them
 */
export function bestLanguage(
  header: string | undefined,
  available: Iterable<string>,
): string | undefined {
  const tags = new Set(available);
  const ranges = rangesOf(header ?? '');
  for (const { tag } of ranges.filter(({ weight }) => weight > 0)) {
    for (let part = tag; part !== ''; part = part.slice(0, Math.max(0, part.lastIndexOf('-')))) {
      if (tags.has(part)) return part;
    }
  }
  return undefined;
}

/** The ranges of a header, the most wanted first. */
function rangesOf(header: string): readonly Range[] {
  const ranges: Range[] = [];
  for (const text of header.split(',', MAX_RANGES)) {
    const [, tag, weight = '1'] =
      /^\s*([a-z]{1,8}(?:-[a-z\d]{1,8}){0,8})\s*(?:;\s*q\s*=\s*([\d.]{1,5})\s*)?$/i.exec(text) ??
      [];
    if (tag !== undefined) ranges.push({ tag: tag.toLowerCase(), weight: Number(weight) || 0 });
  }
  return ranges.sort((a, b) => b.weight - a.weight);
}
