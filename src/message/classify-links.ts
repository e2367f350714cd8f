import { decodeEncodedWords, type HeaderField } from './header-fields.ts';
import type { Candidate, FoundLink, TopPart } from './link.ts';
import { isOptedOutByQuery } from './link-marks.ts';
import { holdsPlaceholder } from './placeholders.ts';
import type { ReadPart } from './read-part.ts';
import type { ReadingOptions } from './reading-options.ts';
import type { SkipReason } from './skip-reasons.ts';
import { type Base, baseOf, targetOf } from './target.ts';

/** A link, where it stands, and where it leads. */
export interface ClassifiedLink {
  readonly candidate: Candidate;
  /** Complete once all parts are classified. */
  readonly link: { -readonly [Key in keyof FoundLink]: FoundLink[Key] };
  /** The host and port of the target as browsers spell them. Empty where the link has no target. */
  readonly host: string;
}

export interface ClassifiedPart {
  readonly part: ReadPart;
  readonly links: readonly ClassifiedLink[];
  /** Whether the part may be changed (`clickTrackingParts`). */
  readonly mayChange: boolean;
}

/** Reasons that hold for every link of the message to the same target. */
const APPLIES_TO_SAME_TARGET: ReadonlySet<SkipReason> = new Set([
  'opted-out',
  'unsubscribe',
  'excluded-selector',
]);

/**
 * Finds the target of each link, and the reason why a link is left alone.
 *
 * @param growth characters that the targets of relative links may have in sum
 */
export function classifyLinks(
  parts: readonly ReadPart[],
  headers: readonly HeaderField[],
  options: ReadingOptions,
  growth: number,
): ClassifiedPart[] {
  const listTargets = listUnsubscribe(headers);
  const optedOutTargets = new ReasonsByTarget();
  const unsubscribeTargets = new ReasonsByTarget();
  const classified = parts.map((part) => {
    const base = baseOf(part.scanned.base, growth);
    const isOwn = ownDomainTest(options.ownDomains);
    const links = part.scanned.candidates.map((candidate) =>
      classify(candidate, part, base, isOwn, options),
    );
    for (const { link, host } of links) {
      if (link.reason !== undefined && APPLIES_TO_SAME_TARGET.has(link.reason)) {
        optedOutTargets.set(link.target, host, link.reason);
      } else if (link.unsubscribe && host !== '') {
        unsubscribeTargets.set(link.target, host, 'unsubscribe');
      }
    }
    const { clickTrackingParts } = options;
    const mayChange = clickTrackingParts === 'both' || clickTrackingParts === part.found.part;
    return { part, links, mayChange };
  });
  if (!optedOutTargets.isEmpty || !unsubscribeTargets.isEmpty || !listTargets.isEmpty) {
    for (const { links } of classified) {
      for (const { candidate, link, host } of links) {
        const isPlain = candidate.host !== undefined;
        link.reason ??= optedOutTargets.get(link.target, host, isPlain);
        // The mark counts before List-Unsubscribe, in the other part too, where it may be missing.
        if (unsubscribeTargets.get(link.target, host, isPlain) !== undefined) {
          link.unsubscribe = true;
        } else {
          link.reason ??= listTargets.get(link.target, host, isPlain);
        }
      }
    }
  }
  for (const { links, mayChange } of classified) {
    if (mayChange) continue;
    for (const { link } of links) link.reason ??= 'untracked-part';
  }
  return classified;
}

function classify(
  candidate: Candidate,
  part: ReadPart,
  base: Base | SkipReason,
  isOwn: (target: string, host: string) => boolean,
  options: ReadingOptions,
): ClassifiedLink {
  const { written, host: plain } = candidate;
  const { part: top } = part.found;
  if (written === undefined) {
    return classified(candidate, top, '', '', 'charset');
  }
  const found =
    plain === undefined
      ? targetOf(written, base, part.utf8Queries)
      : { target: written, host: plain };
  if (typeof found === 'string') {
    const hasNone = found === 'invalid-url' || found === 'relative';
    const reason = hasNone && holdsPlaceholder(written) ? 'placeholder' : found;
    return classified(candidate, top, written, '', reason);
  }
  const { target, host } = found;
  const reason =
    candidate.reason ??
    (candidate.hasSigns && isOptedOutByQuery(target) ? 'opted-out' : undefined) ??
    (candidate.hasSigns && options.placeholders === 'leave' && holdsPlaceholder(written)
      ? 'placeholder'
      : undefined) ??
    (isOwn(target, host) ? 'own-domain' : undefined) ??
    (options.exclude?.(target, host) ? 'excluded' : undefined);
  return classified(candidate, top, target, host, reason);
}

function classified(
  candidate: Candidate,
  part: TopPart,
  target: string,
  host: string,
  reason: SkipReason | undefined,
): ClassifiedLink {
  const { name, sublink, unsubscribe } = candidate;
  return { candidate, link: { part, target, name, sublink, unsubscribe, reason }, host };
}

/** Most links of a message lead to the host of the link before, so the last answer is kept. */
function ownDomainTest(domains: ReadonlySet<string>): (target: string, host: string) => boolean {
  let last: string | undefined;
  let isOwn = false;
  /** A domain may be given with its scheme's own port, which a host never has. */
  let isOwnByHttp = false;
  let isOwnByHttps = false;
  return (target, host) => {
    if (host !== last) {
      last = host;
      isOwn = domains.has(host);
      isOwnByHttp = domains.has(`${host}:80`);
      isOwnByHttps = domains.has(`${host}:443`);
    }
    return (
      isOwn ||
      ((isOwnByHttp || isOwnByHttps) && (/^https:/i.test(target) ? isOwnByHttps : isOwnByHttp))
    );
  };
}

/** The targets of List-Unsubscribe (RFC 2369). */
function listUnsubscribe(headers: readonly HeaderField[]): ReasonsByTarget {
  const targets = new ReasonsByTarget();
  for (const { name, value } of headers) {
    if (name.length === LIST_UNSUBSCRIBE.length && name.toLowerCase() === LIST_UNSUBSCRIBE) {
      // Some senders write long ones as encoded words, which RFC 2369 does not allow.
      for (const uri of urisIn(decodeEncodedWords(value.replace(/\r?\n/g, '')))) {
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

/**
 * The http and https URIs in `<…>`, and each one that a reader might see in malformed text outside
 * of the brackets.
 */
function urisIn(text: string): Iterable<string> {
  const uris = new Set<string>();
  const add = (uri: string) => {
    // Some senders escape it as in HTML.
    if (HTTP.test(uri)) uris.add(uri).add(uri.replaceAll('&amp;', '&'));
  };
  for (const [index, piece] of text.split('<').entries()) {
    const [first = '', ...others] = piece.split('>');
    const isWithin = index > 0 && others.length > 0;
    if (isWithin) add(unfolded(first));
    for (const outside of isWithin ? others : [first, ...others]) {
      for (const uri of urisOutside(outside)) add(uri);
      add(unfolded(outside));
    }
  }
  return uris;
}

const HTTP = /https?:/i;

/** A URI without the white space in it, where a header may be folded (RFC 2369 §2). */
function unfolded(text: string): string {
  return text.replace(/\s+/g, '');
}

function* urisOutside(text: string): Iterable<string> {
  for (const [, word = ''] of text.matchAll(/(?:^|[\s,;"'])(https?:[^\s"']+)/gi)) {
    // Only from the first of them on: a search from each would be quadratic.
    const uri = word.replace(/(?<![,;])[,;]+$/, '');
    yield uri;
    yield uri.replace(/,.*/, '');
  }
}

/** Reasons of a few targets, which are found however their hosts are spelt. */
class ReasonsByTarget {
  readonly #reasons = new Map<string, SkipReason>();
  /** Most other targets differ in length: to hash a long string takes time. */
  readonly #lengths = new Set<number>();

  get isEmpty(): boolean {
    return this.#reasons.size === 0;
  }

  set(target: string, host: string, reason: SkipReason): void {
    const key = normalized(target, host);
    this.#reasons.set(key, reason);
    this.#lengths.add(key.length);
  }

  /** @param isPlain whether only the slash behind the host may be missing (see `PlainLink`) */
  get(target: string, host: string, isPlain: boolean): SkipReason | undefined {
    const { length } = target;
    return this.isEmpty ||
      host === '' ||
      (isPlain && !this.#lengths.has(length) && !this.#lengths.has(length + 1))
      ? undefined
      : this.#reasons.get(normalized(target, host));
  }
}

/** Most targets are spelt as browsers spell them, and stay unchanged. */
function normalized(target: string, host: string): string {
  const authority = target.indexOf('/') + 2;
  const isNormal =
    (target.startsWith('https:') || target.startsWith('http:')) &&
    target.startsWith(host, authority) &&
    target[authority + host.length] === '/';
  return isNormal ? target : new URL(target).href;
}
