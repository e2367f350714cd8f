import type { TrackedLink } from './facts.ts';
import { isAlike, kindOf, type LinkKind, letterOf, parseLinkName } from './link-line.ts';
import { parseSharedFacts, type SharedFacts } from './record-head.ts';
import { type SharedLines, sharedLines } from './shared-lines.ts';

/**
 * What the copies of a newsletter have in common: facts, and links. It is kept once, as shared lines: facts in JSON, then
 * one line a link:
 *
 *     the line of a link, see `linkLine`
 *     for an open link, whose middle each copy has of its own: the letter of the line in upper case, what is before the
 *         middle, a tab, what is behind it, and if the link has a name, a tab and the name in JSON
 */
export interface Edition {
  readonly shared: SharedLines;
  readonly facts: SharedFacts;
  readonly links: readonly EditionLink[];
  /** Characters of all that. */
  readonly length: number;
}

export interface EditionLink extends LinkKind {
  readonly name?: string | undefined;
  /** The target; of an open link, what is before the middle. */
  readonly start: string;
  /** Of an open link, what is behind the middle. */
  readonly end?: string | undefined;
}

export function createEdition(facts: SharedFacts, links: readonly EditionLink[]): Edition {
  const lines = links.map(({ start, end, name, ...kind }) => {
    const letter = letterOf(kind);
    const line = end === undefined ? letter + start : `${letter.toUpperCase()}${start}\t${end}`;
    return name === undefined ? line : `${line}\t${JSON.stringify(name)}`;
  });
  // Read back, so that it holds no strings that hold the messages it was found in.
  return editionOf(sharedLines([JSON.stringify(facts), ...lines, ''].join('\n')));
}

const editions = new WeakMap<SharedLines, Edition>();

/** @throws Error for lines that are none of an edition */
export function editionOf(shared: SharedLines): Edition {
  let edition = editions.get(shared);
  if (edition === undefined) {
    const text = shared.text.toString();
    const [facts = '', ...lines] = text.slice(0, -1).split('\n');
    edition = {
      shared,
      facts: parseSharedFacts(facts),
      links: lines.map(parseLink),
      length: text.length,
    };
    editions.set(shared, edition);
  }
  return edition;
}

function parseLink(line: string): EditionLink {
  const fields = line.slice(1).split('\t');
  const letter = line.charAt(0);
  const kind = letter.toLowerCase();
  const isOpen = letter !== kind;
  const name = fields[isOpen ? 2 : 1];
  return {
    ...kindOf(kind),
    start: fields[0] ?? '',
    ...(isOpen && { end: fields[1] ?? '' }),
    ...(name !== undefined && { name: parseLinkName(name) }),
  };
}

/** Whether a link of a message is this one of the edition. */
function fits(of: EditionLink, link: TrackedLink): boolean {
  if (!isAlike(of, link)) return false;
  const { target } = link;
  const { start, end } = of;
  if (end === undefined) return target === start;
  return (
    target.length >= start.length + end.length && target.startsWith(start) && target.endsWith(end)
  );
}

/** How far to look for where two lists of links agree again. */
const LOOK_AHEAD = 8;

/**
 * Walks through both lists, and finds for each link which of the edition it is.
 * @param limit of links that only one of the lists has
 * @returns an index into the edition's links for each link, -1 for none; undefined where there are more
 */
export function align(
  edition: readonly EditionLink[],
  links: readonly TrackedLink[],
  limit: number,
): number[] | undefined {
  const found: number[] = [];
  const agree = (of: number, link: number) =>
    of < edition.length &&
    link < links.length &&
    fits(edition[of] as EditionLink, links[link] as TrackedLink);
  let at = 0;
  let alone = 0;
  while (found.length < links.length) {
    const i = found.length;
    if (agree(at, i)) {
      found.push(at++);
      continue;
    }
    // One in place of the other, unless they agree again further on in one of the lists.
    let skipped = at < edition.length ? 1 : 0;
    let own = 1;
    for (let ahead = 1; ahead <= LOOK_AHEAD; ahead++) {
      if (agree(at + ahead, i)) [skipped, own] = [ahead, 0];
      else if (agree(at, i + ahead)) [skipped, own] = [0, ahead];
      else continue;
      break;
    }
    at += skipped;
    for (let n = 0; n < own; n++) found.push(-1);
    alone += skipped + own;
    if (alone > limit) return undefined;
  }
  return found;
}
