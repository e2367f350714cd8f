import type { Candidate } from './candidate.ts';
import type { HeaderField } from './header-field.ts';
import type { FoundLink, LeftAlone } from './outcome.ts';
import type { ReadPart } from './read-part.ts';
import type { ReadingOptions } from './reading-options.ts';
import { baseOf, targetOf } from './target.ts';

/** A link where it stands, with all that is to be known of it. */
export interface JudgedLink {
  readonly candidate: Candidate;
  readonly link: FoundLink;
}

/** What is said of a link in one place holds for every link of the message to the same target. */
const CONTAGIOUS: ReadonlySet<LeftAlone | undefined> = new Set<LeftAlone>([
  'opted-out',
  'unsubscribe',
  'excluded-selector',
]);

/** Finds out for every link where it leads and whether it may be tracked. */
export function judge(
  parts: readonly ReadPart[],
  headers: readonly HeaderField[],
  options: ReadingOptions,
): Map<ReadPart, JudgedLink[]> {
  const unsubscribe = listUnsubscribe(headers);
  const spoiled = new Map<string, LeftAlone>();
  const judged = new Map<ReadPart, JudgedLink[]>();
  for (const part of parts) {
    const base = baseOf(part.scanned.base);
    const links = part.scanned.candidates.map((candidate) => {
      const link = judgeOne(candidate, part, base, unsubscribe, options);
      if (link.reason !== undefined && CONTAGIOUS.has(link.reason)) {
        spoiled.set(link.target, link.reason);
      }
      return { candidate, link };
    });
    judged.set(part, links);
  }
  if (spoiled.size > 0) {
    for (const [part, links] of judged) {
      judged.set(
        part,
        links.map(({ candidate, link }) => {
          const reason = link.reason ?? spoiled.get(link.target);
          return { candidate, link: reason === undefined ? link : { ...link, reason } };
        }),
      );
    }
  }
  return judged;
}

function judgeOne(
  candidate: Candidate,
  part: ReadPart,
  base: URL | undefined,
  unsubscribe: TargetSet,
  options: ReadingOptions,
): FoundLink {
  const { written } = candidate;
  if (written === undefined) {
    return foundLink(part, candidate, '', 'charset');
  }
  const { host: plain } = candidate;
  const found =
    plain === undefined
      ? targetOf(written, base, part.utf8Queries)
      : { target: written, host: plain };
  if (typeof found === 'string') {
    return foundLink(part, candidate, written, found);
  }
  const { target, host } = found;
  const reason =
    candidate.reason ??
    (unsubscribe.has(target, host, plain !== undefined) ? 'unsubscribe' : undefined) ??
    (isOwn(target, host, options.ownDomains) ? 'own-domain' : undefined) ??
    options.exclude?.(target);
  return foundLink(part, candidate, target, reason);
}

function foundLink(
  part: ReadPart,
  { name, sublink }: Candidate,
  target: string,
  reason: LeftAlone | undefined,
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

function isOwn(target: string, host: string, ownDomains: readonly string[]): boolean {
  for (const domain of ownDomains) {
    if (domain === host) {
      return true;
    }
    // A domain may be given with its scheme's own port, which a host never has.
    if (domain.startsWith(host) && domain === host + (/^https:/i.test(target) ? ':443' : ':80')) {
      return true;
    }
  }
  return false;
}

/** The targets of List-Unsubscribe (RFC 2369). */
function listUnsubscribe(headers: readonly HeaderField[]): TargetSet {
  const targets = new TargetSet();
  for (const { name, value } of headers) {
    if (name.length === LIST_UNSUBSCRIBE.length && name.toLowerCase() === LIST_UNSUBSCRIBE) {
      for (const [, uri = ''] of value.matchAll(/<([^<>]*)>/g)) {
        const found = targetOf(uri.replace(/\s+/g, ''), undefined, true);
        if (typeof found === 'object') {
          targets.add(found.target, found.host);
        }
      }
    }
  }
  return targets;
}

const LIST_UNSUBSCRIBE = 'list-unsubscribe';

/** Targets, however their hosts are spelt. */
class TargetSet {
  readonly #targets = new Set<string>();
  readonly #lengths = new Set<number>();

  add(target: string, host: string): void {
    const one = normal(target, host);
    this.#targets.add(one);
    this.#lengths.add(one.length);
  }

  /** @param isPlain see `plainHost` */
  has(target: string, host: string, isPlain: boolean): boolean {
    // A plain one lacks a slash behind its host at the most: nearly all need not be looked at.
    const { length } = target;
    if (isPlain && !this.#lengths.has(length) && !this.#lengths.has(length + 1)) {
      return false;
    }
    return this.#targets.size > 0 && this.#targets.has(normal(target, host));
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
