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
  const spoiled = new ByTarget<LeftAlone>();
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
  if (!spoiled.isEmpty) {
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
      for (const [, uri = ''] of value.matchAll(/<(\s*http[^<>]*)>/gi)) {
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

/** The targets of a header, however their hosts are spelt. */
class TargetSet {
  readonly #targets = new ByTarget<true>();

  add(target: string, host: string): void {
    this.#targets.set(normal(target, host), true);
  }

  /** @param isPlain see `plainHost` */
  has(target: string, host: string, isPlain: boolean): boolean {
    // A plain one lacks a slash behind its host at the most.
    const { length } = target;
    if (isPlain && !this.#targets.hasLength(length) && !this.#targets.hasLength(length + 1)) {
      return false;
    }
    return !this.#targets.isEmpty && this.#targets.get(normal(target, host)) === true;
  }
}

/** Something about a few targets. Most others are told from them by their length: the hash of a long string takes its time. */
class ByTarget<Value> {
  readonly #values = new Map<string, Value>();
  readonly #lengths = new Set<number>();

  get isEmpty(): boolean {
    return this.#values.size === 0;
  }

  set(target: string, value: Value): void {
    this.#values.set(target, value);
    this.#lengths.add(target.length);
  }

  get(target: string): Value | undefined {
    return this.hasLength(target.length) ? this.#values.get(target) : undefined;
  }

  hasLength(length: number): boolean {
    return this.#lengths.has(length);
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
