import { hash } from 'node:crypto';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { isAlike, kindOf, type LinkKind, letterOf, parseLinkName } from './link-line.ts';
import type { TrackedLink } from './message-facts.ts';
import { parseSharedFacts, type SharedFacts } from './record-head.ts';

/**
 * The template of a newsletter: the facts and links that its instances share. It is stored once, as
 * a byte with the version of the format, and a deflated text: the facts in JSON, then one line per
 * link:
 *
 *     the line of a link, see `linkLine`
 *     for an open link, whose middle differs between instances: the letter of the line in upper
 *         case, the start of the target, a tab, the end of the target, and if the link has a name,
 *         a tab and the name in JSON
 */
export interface Template {
  /**
   * The first nine bytes of the text's SHA-256, so that all who find the same template store it
   * once.
   */
  readonly id: Buffer;
  readonly text: string;
  readonly facts: SharedFacts;
  readonly links: readonly TemplateLink[];
  /** Characters of the text. */
  readonly length: number;
}

export interface TemplateLink extends LinkKind {
  readonly name?: string | undefined;
  /** The target; of an open link, the part before the middle. */
  readonly start: string;
  /** Of an open link, the part after the middle. */
  readonly end?: string | undefined;
}

const ID_BYTES = 9;
const FORMAT = 1;
/** Bytes of the longest text of a template. */
export const MAX_TEMPLATE_BYTES = 24 * 1024;

export function createTemplate(facts: SharedFacts, links: readonly TemplateLink[]): Template {
  const lines = links.map(({ start, end, name, ...kind }) => {
    const letter = letterOf(kind);
    const line = end === undefined ? letter + start : `${letter.toUpperCase()}${start}\t${end}`;
    return name === undefined ? line : `${line}\t${JSON.stringify(name)}`;
  });
  // Parsed from bytes, so that the template shares no strings with the messages it was learned
  // from.
  return parseTemplate(Buffer.from([JSON.stringify(facts), ...lines, ''].join('\n')));
}

/** @throws Error for a text that is not a template */
export function parseTemplate(bytes: Buffer): Template {
  const text = bytes.toString();
  const [facts = '', ...lines] = text.slice(0, -1).split('\n');
  return {
    id: hash('sha256', bytes, 'buffer').subarray(0, ID_BYTES),
    text,
    facts: parseSharedFacts(facts),
    links: lines.map(parseLink),
    length: text.length,
  };
}

export function encodeTemplate({ text }: Template): Buffer {
  const deflated = deflateRawSync(text, { level: constants.Z_BEST_COMPRESSION });
  return Buffer.concat([Buffer.of(FORMAT), deflated]);
}

/** @throws Error for a value that holds no template, or not the one with this id */
export function decodeTemplate(value: Buffer, id: Buffer): Template {
  if (value[0] !== FORMAT) throw new Error(`template of format ${value[0] ?? 'none'}`);
  const text = inflateRawSync(value.subarray(1), { maxOutputLength: MAX_TEMPLATE_BYTES });
  const template = parseTemplate(text);
  if (!template.id.equals(id)) throw new Error('template damaged: its digest does not match');
  return template;
}

function parseLink(line: string): TemplateLink {
  const fields = line.slice(1).split('\t');
  const letter = line.charAt(0);
  const kind = letter.toLowerCase();
  const isOpen = letter !== kind;
  const name = fields[isOpen ? 2 : 1];
  const { part, unsubscribe, asWritten } = kindOf(kind);
  // Always the same properties in the same order: these links are compared with those of every
  // message.
  return {
    part,
    unsubscribe,
    asWritten,
    name: name === undefined ? undefined : parseLinkName(name),
    start: fields[0] ?? '',
    end: isOpen ? (fields[1] ?? '') : undefined,
  };
}

/** Whether a link of a message can be this link of the template. */
function fits(of: TemplateLink, link: TrackedLink): boolean {
  if (!isAlike(of, link)) return false;
  const { target } = link;
  const { start, end } = of;
  if (end === undefined) return target === start;
  return (
    target.length >= start.length + end.length && target.startsWith(start) && target.endsWith(end)
  );
}

/** How far to search for the place where two lists of links agree again. */
const LOOK_AHEAD = 8;

/**
 * Aligns two lists: finds the link of the template for each link of a message.
 * @param limit of links that only one of the lists has
 * @returns an index into the template's links for each link, -1 for none; undefined beyond the
 * limit
 */
export function align(
  template: readonly TemplateLink[],
  links: readonly TrackedLink[],
  limit: number,
): number[] | undefined {
  const found: number[] = [];
  const agree = (of: number, link: number) =>
    of < template.length &&
    link < links.length &&
    fits(template[of] as TemplateLink, links[link] as TrackedLink);
  let at = 0;
  let alone = 0;
  while (found.length < links.length) {
    const i = found.length;
    if (agree(at, i)) {
      found.push(at++);
      continue;
    }
    // One link replaces the other, unless the lists agree again further on in one of them.
    let skipped = at < template.length ? 1 : 0;
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
