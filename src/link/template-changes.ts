import type { TrackedLink } from './facts.ts';
import { isLinkLetter, linkLine, parseLinkLine } from './link-line.ts';
import { align, type Edition, type EditionLink } from './template.ts';

/** Of the edition's length: more than that, and deflated without it a message would be as short. */
const MOST = 1 / 5;

/**
 * How the links of one copy differ from those of its edition, in order; what comes after the last change is as it is
 * there:
 *
 *     `~MIDDLE`  the links up to the next open one, and that one with this middle
 *     `^`        the same, with the middle of the open one before
 *     `=N`       the next N links
 *     `-N`       not the next N links
 *     `h…` `t…` `u…` `v…`  a link of its own, as in the other formats
 *
 * @returns undefined where it has too little in common with the edition
 * @throws RangeError for a target with a tab or line break, which no link has
 */
export function changesFrom(
  edition: Pick<Edition, 'links' | 'length'>,
  links: readonly TrackedLink[],
): string[] | undefined {
  const of = align(edition.links, links, 1 + links.length / 4);
  if (of === undefined) return undefined;
  const changes: string[] = [];
  let at = 0;
  let copied = 0;
  let last: string | undefined;
  const skipTo = (next: number) => {
    if (copied > 0) changes.push(`=${copied}`);
    copied = 0;
    if (next > at) changes.push(`-${next - at}`);
    at = next;
  };
  for (let i = 0; i < links.length; i++) {
    const link = links[i] as TrackedLink;
    const next = of[i] as number;
    if (next !== at) skipTo(next < 0 ? at : next);
    if (next < 0) {
      changes.push(linkLine(link));
      continue;
    }
    at++;
    const { start, end } = edition.links[next] as EditionLink;
    if (end === undefined) {
      copied++;
      continue;
    }
    const middle = link.target.slice(start.length, link.target.length - end.length);
    if (/[\t\r\n]/.test(middle)) throw new RangeError('a target holds no tab and no line break');
    changes.push(middle === last ? '^' : `~${middle}`);
    last = middle;
    copied = 0;
  }
  if (at < edition.links.length) skipTo(edition.links.length);
  const length = changes.reduce((sum, change) => sum + change.length + 1, 0);
  return length <= edition.length * MOST ? changes : undefined;
}

/** @throws Error for changes that are not of this edition */
export function applyChanges(edition: Edition, changes: readonly string[]): TrackedLink[] {
  const links: TrackedLink[] = [];
  let at = 0;
  let last = '';
  const copy = (): boolean => {
    const link = edition.links[at];
    if (link === undefined || link.end !== undefined) return false;
    links.push(asLink(link, link.start));
    at++;
    return true;
  };
  for (const change of changes) {
    const [kind, value] = [change[0], change.slice(1)];
    if (isLinkLetter(change.charAt(0))) {
      links.push(parseLinkLine(change));
    } else if (kind === '~' || kind === '^') {
      while (copy());
      const open = edition.links[at++];
      if (open === undefined) throw new Error('more open links than its edition has');
      if (kind === '~') last = value;
      links.push(asLink(open, open.start + last + open.end));
    } else {
      // Never backwards, or few changes would make any number of links.
      if (!/^[1-9]\d{0,6}$/.test(value)) throw new Error('a change that is no number of links');
      if (kind === '-') {
        at += Number(value);
      } else {
        for (let n = Number(value); n > 0; n--) {
          if (kind !== '=' || !copy()) throw new Error('a change that its edition does not allow');
        }
      }
    }
  }
  while (copy());
  if (at !== edition.links.length) throw new Error('fewer links than its edition has');
  return links;
}

function asLink({ part, name, unsubscribe }: EditionLink, target: string): TrackedLink {
  return { target, part, name, unsubscribe };
}
