import { detached, isPrintableAscii } from '../../lib/text.ts';
import { isAlike, parseLinkLine } from '../../link/link-line.ts';
import type { MessageFacts, TrackedLink } from '../../link/message-facts.ts';
import type { MessageRecord } from '../../link/message-record.ts';
import { factsInCommon, type SharedFacts, sharedFacts } from '../../link/record-head.ts';
import { align, createTemplate, type Template, type TemplateLink } from '../../link/template.ts';
import { changesFrom } from '../../link/template-changes.ts';

/**
 * Learns a template: the part that messages to different recipients have had in common so far.
 * Links that only one recipient got are not part of it, however often they were sent. A learner
 * holds no string of a message, which would keep the whole message in memory.
 */
export class TemplateLearner {
  readonly #lines: string;
  /** Parsed when there is a second message. */
  #links: readonly TemplateLink[] | undefined;
  #facts: SharedFacts;
  readonly #recipients: string[];

  constructor(message: MessageFacts, lines: string, recipient: string) {
    this.#facts = JSON.parse(JSON.stringify(sharedFacts(message))) as SharedFacts;
    this.#lines = lines;
    this.#recipients = [recipient];
  }

  get recipients(): number {
    return this.#recipients.length;
  }

  /** Whether this is the first message again. */
  isAgain(lines: string, recipient: string): boolean {
    return this.#recipients.includes(recipient) && this.#lines === lines;
  }

  /**
   * Keeps the part that a message to another recipient shares.
   * @returns false where the two share too little, or the recipient is known; nothing has changed
   * then
   */
  learn({ message, links }: MessageRecord, recipient: string): boolean {
    if (this.#recipients.includes(recipient)) return false;
    this.#links ??= this.#lines
      .slice(0, -1)
      .split('\n')
      .map((line) => closed(parseLinkLine(line)));
    const common = inCommon(this.#links, links);
    if (changesFrom({ links: common, length: lengthOf(common) }, links) === undefined) return false;
    this.#links = common;
    this.#facts = factsInCommon(this.#facts, sharedFacts(message));
    this.#recipients.push(recipient);
    return true;
  }

  /** @returns undefined where it is not worth a key */
  template(leastLinks: number, leastLength: number): Template | undefined {
    const links = this.#links ?? [];
    if (links.length < leastLinks || lengthOf(links) < leastLength) return undefined;
    return createTemplate(this.#facts, links);
  }
}

function closed({ target, ...link }: TrackedLink): TemplateLink {
  return { ...link, start: target };
}

function lengthOf(links: readonly TemplateLink[]): number {
  return links.reduce((sum, { start, end = '' }) => sum + start.length + end.length, 0);
}

/**
 * The links that are in both. Links at the same place that differ only in their middle become open
 * links.
 */
function inCommon(before: readonly TemplateLink[], links: readonly TrackedLink[]): TemplateLink[] {
  const common: TemplateLink[] = [];
  const of = align(before, links, Number.POSITIVE_INFINITY) ?? [];
  let at = 0;
  let alone: TrackedLink[] = [];
  const closeGap = (end: number) => {
    const gap = before.slice(at, end);
    if (gap.length !== alone.length) return;
    for (const [i, link] of gap.entries()) {
      const open = opened(link, alone[i] as TrackedLink);
      if (open !== undefined) common.push(open);
    }
  };
  for (const [i, link] of links.entries()) {
    const found = of[i] ?? -1;
    if (found < 0) {
      alone.push(link);
      continue;
    }
    closeGap(found);
    common.push(before[found] as TemplateLink);
    alone = [];
    at = found + 1;
  }
  closeGap(before.length);
  return common;
}

const SCHEME = 'https://'.length;

/**
 * The open link that two links share: their common start and end, cut at the edges of words and
 * numbers.
 */
function opened(link: TemplateLink, other: TrackedLink): TemplateLink | undefined {
  const { target } = other;
  if (!isAlike(link, other) || !isPrintableAscii(target) || !isPrintableAscii(link.start)) {
    return undefined;
  }
  const known = link.start + (link.end ?? '');
  let start = 0;
  const mostBefore = Math.min(link.start.length, target.length);
  while (start < mostBefore && target[start] === known[start]) start++;
  while (start > 0 && isOfWord(target.charAt(start - 1))) start--;
  if (start <= SCHEME) return undefined;
  let end = 0;
  const room = link.end === undefined ? link.start.length - start : link.end.length;
  const mostBehind = Math.min(room, target.length - start);
  while (end < mostBehind && target.at(-1 - end) === known.at(-1 - end)) end++;
  while (end > 0 && isOfWord(target.charAt(target.length - end))) end--;
  return {
    ...link,
    start: detached(target.slice(0, start)),
    end: detached(target.slice(target.length - end)),
  };
}

function isOfWord(character: string): boolean {
  return /[\w%~-]/.test(character);
}
