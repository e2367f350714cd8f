import { isLinkLetter, linkLine, parseLinkLine } from './link-line.ts';
import type { TrackedLink } from './message-facts.ts';
import { align, type Template, type TemplateLink } from './template.ts';

/**
 * The longest changes, as a share of the template: beyond it, a record without a template is as
 * short.
 */
const MAX_SHARE = 1 / 5;

/**
 * Lists the changes from the links of a template to those of an instance, in order. The links after
 * the last change are those of the template:
 *
 *     `~MIDDLE`  the links up to the next open one, and that one with this middle
 *     `^`        the links up to the next open one, and that one with the middle of the open one
 *                before
 *     `=N`       the next N links
 *     `-N`       without the next N links
 *     any letter  a link of the instance alone, see `linkLine`
 *
 * @returns undefined where the instance shares too little with the template
 * @throws RangeError for a target with a tab or line break, which no link has
 */
export function changesFrom(
  template: Pick<Template, 'links' | 'length'>,
  links: readonly TrackedLink[],
): string[] | undefined {
  const of = align(template.links, links, 1 + links.length / 4);
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
    const { start, end } = template.links[next] as TemplateLink;
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
  if (at < template.links.length) skipTo(template.links.length);
  const length = changes.reduce((sum, change) => sum + change.length + 1, 0);
  return length <= template.length * MAX_SHARE ? changes : undefined;
}

/**
 * Applies changes to the links of a template.
 * @param maxLength characters that the open links may have together: one middle may be that of all
 * @throws Error for changes from another template
 */
export function applyChanges(
  template: Template,
  changes: readonly string[],
  maxLength: number,
): TrackedLink[] {
  const links: TrackedLink[] = [];
  let length = 0;
  let at = 0;
  let last = '';
  const copy = (): boolean => {
    const link = template.links[at];
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
      const open = template.links[at++];
      if (open === undefined) throw new Error('more open links than the template has');
      if (kind === '~') last = value;
      const target = open.start + last + open.end;
      length += target.length;
      if (length > maxLength) throw new Error('the links of the record are too long');
      links.push(asLink(open, target));
    } else {
      // Never backwards, or few changes would make any number of links.
      if (!/^[1-9]\d{0,6}$/.test(value)) throw new Error('a change that is not a number of links');
      if (kind === '-') {
        at += Number(value);
      } else {
        for (let n = Number(value); n > 0; n--) {
          if (kind !== '=' || !copy()) throw new Error('a change that the template does not allow');
        }
      }
    }
  }
  while (copy());
  if (at !== template.links.length) throw new Error('fewer links than the template has');
  return links;
}

function asLink({ part, name, unsubscribe, asWritten }: TemplateLink, target: string): TrackedLink {
  return { target, part, name, unsubscribe, asWritten };
}
