import type { TrackedLink } from './message-facts.ts';

/** The meaning of the letter that begins a link's line. */
export type LinkKind = Pick<TrackedLink, 'part' | 'unsubscribe' | 'asWritten'>;

/**
 * A link as one line of a record, without its LF: a letter, the target, and if the link has a name,
 * a tab and the name in JSON. The letter is one of `KINDS`.
 * @throws RangeError for a target with a tab or line break, which no link has
 */
export function linkLine(link: TrackedLink): string {
  return linkLines([link]).slice(0, -1);
}

/**
 * The lines of all links of a message, each with its LF.
 * @throws RangeError as `linkLine`
 */
export function linkLines(links: readonly TrackedLink[]): string {
  let names = 0;
  const lines = links.map((link) => {
    const line = letterOf(link) + link.target;
    if (link.name === undefined) return line;
    names++;
    return `${line}\t${JSON.stringify(link.name)}`;
  });
  lines.push('');
  const text = lines.join('\n');
  // Counted in the whole, which is quicker than a look at each target. Nothing of that is in a name
  // in JSON.
  if (count(text, '\n') !== links.length || count(text, '\t') !== names || text.includes('\r')) {
    throw new RangeError('a target holds no tab and no line break');
  }
  return text;
}

function count(text: string, character: string): number {
  let found = 0;
  for (let at = text.indexOf(character); at !== -1; at = text.indexOf(character, at + 1)) found++;
  return found;
}

/** @throws Error for a line that is not a link */
export function parseLinkLine(line: string): TrackedLink {
  const tab = line.indexOf('\t');
  const { part, unsubscribe, asWritten } = kindOf(line.charAt(0));
  if (tab === -1) return { target: line.slice(1), part, unsubscribe, asWritten };
  return {
    target: line.slice(1, tab),
    part,
    unsubscribe,
    asWritten,
    name: parseLinkName(line.slice(tab + 1)),
  };
}

/** The letters of the kinds. */
const LETTERS = 'thvuabcd';
/** The meaning of the bits of a letter's place in them. */
const HTML = 1;
const UNSUBSCRIBE = 2;
const AS_WRITTEN = 4;

const KINDS: ReadonlyMap<string, LinkKind> = new Map(
  [...LETTERS].map((letter, kind) => [
    letter,
    {
      part: kind & HTML ? 'html' : 'text',
      ...(kind & UNSUBSCRIBE && { unsubscribe: true }),
      ...(kind & AS_WRITTEN && { asWritten: true }),
    },
  ]),
);

/** Whether this letter begins the line of a link. */
export function isLinkLetter(letter: string): boolean {
  return KINDS.has(letter);
}

/** @throws Error for a letter that begins no link's line */
export function kindOf(letter: string): LinkKind {
  const kind = KINDS.get(letter);
  if (kind === undefined) throw new Error('a link of no known part');
  return kind;
}

export function letterOf({ part, unsubscribe, asWritten }: LinkKind): string {
  return LETTERS.charAt(
    (part === 'html' ? HTML : 0) | (unsubscribe ? UNSUBSCRIBE : 0) | (asWritten ? AS_WRITTEN : 0),
  );
}

/** Whether two links differ in their targets at most. */
export function isAlike(a: Omit<TrackedLink, 'target'>, b: typeof a): boolean {
  return (
    a.part === b.part &&
    a.name === b.name &&
    a.unsubscribe === b.unsubscribe &&
    a.asWritten === b.asWritten
  );
}

/** @throws Error for text that is not the JSON of a string */
export function parseLinkName(json: string): string {
  const name: unknown = JSON.parse(json);
  if (typeof name !== 'string') throw new Error('the name of a link is not a string');
  return name;
}
