import { decodeEncodedWords, type HeaderField } from './header-fields.ts';
import type { Candidate, FoundLink } from './link.ts';
import { isOptedOutByQuery } from './link-marks.ts';
import type { ReadingOptions } from './open-message.ts';
import { holdsPlaceholder } from './placeholders.ts';
import type { ReadPart } from './read-part.ts';
import type { SkipReason } from './skip-reasons.ts';
import { type Base, baseOf, targetOf } from './target.ts';

/** A link where it stands, with all that is to be known of it. */
export interface JudgedLink {
  readonly candidate: Candidate;
  readonly link: FoundLink;
  /** Of the target, as browsers spell it; empty where there is none. */
  readonly host: string;
}

/** What is said of a link in one place holds for every link of the message to the same target. */
const CONTAGIOUS: ReadonlySet<SkipReason | undefined> = new Set<SkipReason>([
  'opted-out',
  'unsubscribe',
  'excluded-selector',
]);

/**
 * Finds out for every link where it leads and whether it may be tracked.
 *
 * @param growth characters that the targets of relative links may have
 */
export function judge(
  parts: readonly ReadPart[],
  headers: readonly HeaderField[],
  options: ReadingOptions,
  growth: number,
): Map<ReadPart, JudgedLink[]> {
  const unsubscribe = listUnsubscribe(headers);
  const spoiled = new ByTarget<SkipReason>();
  const judged = new Map<ReadPart, JudgedLink[]>();
  for (const part of parts) {
    const base = baseOf(part.scanned.base, growth);
    const links = part.scanned.candidates.map((candidate) => {
      const one = judgeOne(candidate, part, base, unsubscribe, options);
      const { link, host } = one;
      if (link.reason !== undefined && CONTAGIOUS.has(link.reason)) {
        spoiled.set(link.target, host, link.reason);
      }
      return one;
    });
    judged.set(part, links);
  }
  if (!spoiled.isEmpty) {
    for (const [part, links] of judged) {
      judged.set(
        part,
        links.map((one) => {
          const { candidate, link, host } = one;
          const isPlain = candidate.host !== undefined;
          const reason = link.reason ?? spoiled.get(link.target, host, isPlain);
          return reason === undefined ? one : { candidate, link: { ...link, reason }, host };
        }),
      );
    }
  }
  return judged;
}

function judgeOne(
  candidate: Candidate,
  part: ReadPart,
  base: Base | SkipReason,
  unsubscribe: ByTarget<SkipReason>,
  options: ReadingOptions,
): JudgedLink {
  const { written } = candidate;
  if (written === undefined) {
    return { candidate, link: foundLink(part, candidate, '', 'charset'), host: '' };
  }
  const { host: plain } = candidate;
  const found =
    plain === undefined
      ? targetOf(written, base, part.utf8Queries)
      : { target: written, host: plain };
  if (typeof found === 'string') {
    const isNone = found === 'invalid-url' || found === 'relative';
    const reason = isNone && holdsPlaceholder(written) ? 'placeholder' : found;
    return { candidate, link: foundLink(part, candidate, written, reason), host: '' };
  }
  const { target, host } = found;
  const reason =
    candidate.reason ??
    (isOptedOutByQuery(target) ? 'opted-out' : undefined) ??
    (options.placeholders !== 'track' && holdsPlaceholder(written) ? 'placeholder' : undefined) ??
    unsubscribe.get(target, host, plain !== undefined) ??
    (isOwn(target, host, options.ownDomains) ? 'own-domain' : undefined) ??
    (options.exclude?.(target, host) ? 'excluded' : undefined);
  return { candidate, link: foundLink(part, candidate, target, reason), host };
}

function foundLink(
  part: ReadPart,
  { name, sublink }: Candidate,
  target: string,
  reason: SkipReason | undefined,
): FoundLink {
  const link: { -readonly [Key in keyof FoundLink]: FoundLink[Key] } = {
    part: part.found.part,
    target,
  };
  if (name !== undefined) {
    link.name = name;
  }
  if (sublink !== undefined) {
    link.sublink = sublink;
  }
  if (reason !== undefined) {
    link.reason = reason;
  }
  return link;
}

function isOwn(target: string, host: string, ownDomains: ReadonlySet<string>): boolean {
  // A domain may be given with its scheme's own port, which a host never has.
  return ownDomains.has(host) || ownDomains.has(host + (/^https:/i.test(target) ? ':443' : ':80'));
}

/** The targets of List-Unsubscribe (RFC 2369). */
function listUnsubscribe(headers: readonly HeaderField[]): ByTarget<SkipReason> {
  const targets = new ByTarget<SkipReason>();
  for (const { name, value } of headers) {
    if (name.length === LIST_UNSUBSCRIBE.length && name.toLowerCase() === LIST_UNSUBSCRIBE) {
      // Some senders write a long one as encoded words, which RFC 2369 does not know.
      const text = decodeEncodedWords(value.replace(/\r?\n/g, ''));
      for (const uri of urisIn(text)) {
        const found = targetOf(uri, 'relative', true);
        if (typeof found === 'object') {
          targets.set(found.target, found.host, 'unsubscribe');
        }
      }
    }
  }
  return targets;
}

const LIST_UNSUBSCRIBE = 'list-unsubscribe';

/** Those in `<…>`; of what stands outside, though it should not, what each way to read it makes of it. */
function* urisIn(text: string): Iterable<string> {
  for (const [, within, outside = ''] of text.matchAll(/<([^<>]*)>|([^<>]+)/g)) {
    if (within !== undefined) {
      yield within.replace(/\s+/g, '');
      continue;
    }
    for (const [, word = ''] of outside.matchAll(/(?:^|[\s,;"'])(https?:[^\s"']+)/gi)) {
      const uri = word.replace(/[,;]+$/, '');
      yield uri;
      yield uri.replace(/,.*/, '');
    }
    yield outside.replace(/\s+/g, '');
  }
}

/**
 * Something about a few targets, however their hosts are spelt. Most others are told from them by their length: the hash
 * of a long string takes its time.
 */
class ByTarget<Value> {
  readonly #values = new Map<string, Value>();
  readonly #lengths = new Set<number>();

  get isEmpty(): boolean {
    return this.#values.size === 0;
  }

  set(target: string, host: string, value: Value): void {
    const key = normal(target, host);
    this.#values.set(key, value);
    this.#lengths.add(key.length);
  }

  /** @param isPlain see `plainHost` */
  get(target: string, host: string, isPlain: boolean): Value | undefined {
    // A plain one lacks a slash behind its host at the most.
    const { length } = target;
    if (isPlain && !this.#lengths.has(length) && !this.#lengths.has(length + 1)) {
      return undefined;
    }
    return this.isEmpty ? undefined : this.#values.get(normal(target, host));
  }
}

/** What is spelt as browsers spell it, as nearly all is, stays as it is. */
function normal(target: string, host: string): string {
  const authority = target.indexOf('/') + 2;
  const isNormal =
    (target.startsWith('https:') || target.startsWith('http:')) &&
    target.startsWith(host, authority) &&
    target[authority + host.length] === '/';
  return isNormal ? target : new URL(target).href;
}
