import { asciiDomain } from '../lib/host-name.ts';

/** A compiled list of patterns. */
export interface Matcher {
  /** As written in the configuration. If empty, nothing matches. */
  readonly patterns: readonly string[];
  matches(subject: string): boolean;
}

/**
 * Matches host names: `example.com` is the domain with its subdomains, `*.example.com` its
 * subdomains only.
 */
export function domainMatcher(patterns: readonly string[]): Matcher {
  const whole = new Set<string>();
  const below = new Set<string>();
  for (const pattern of patterns) {
    const name = pattern.replace(/^\*?\./, '');
    const domain = asciiDomain(name);
    below.add(domain);
    if (name === pattern) whole.add(domain);
  }
  const longest = Math.max(0, ...[...below].map(({ length }) => length));
  const matches = (subject: string): boolean => {
    const host = asciiDomain(subject);
    if (whole.has(host)) return true;
    // Skip suffixes longer than every pattern, so that a host of thousands of labels costs few
    // lookups.
    const first = Math.max(0, host.length - longest - 1);
    for (let dot = host.indexOf('.', first); dot >= 0; dot = host.indexOf('.', dot + 1)) {
      if (below.has(host.slice(dot + 1))) return true;
    }
    return false;
  };
  return { patterns, matches };
}

/**
 * Matches mail addresses: a pattern with `@` is one address, any other a domain as in
 * `domainMatcher`.
 */
export function recipientMatcher(patterns: readonly string[]): Matcher {
  const addresses = new Set(
    patterns.filter((pattern) => pattern.includes('@')).map(canonicalAddress),
  );
  const domains = domainMatcher(patterns.filter((pattern) => !pattern.includes('@')));
  const matches = (subject: string): boolean => {
    const address = canonicalAddress(subject);
    return addresses.has(address) || domains.matches(address.slice(address.lastIndexOf('@') + 1));
  };
  return { patterns, matches };
}

function canonicalAddress(address: string): string {
  const domain = address.lastIndexOf('@') + 1;
  return address.slice(0, domain).toLowerCase() + asciiDomain(address.slice(domain));
}

/**
 * Matches whole URLs regardless of case; `*` stands for any characters, or none. Each piece between
 * stars is searched once, from left to right, so no pattern is slow.
 */
export function urlMatcher(patterns: readonly string[]): Matcher {
  const globs = patterns.map((pattern) => pattern.toLowerCase().split('*'));
  const matches = (subject: string): boolean => {
    if (globs.length === 0) return false;
    const url = subject.toLowerCase();
    return globs.some((pieces) => matchesPieces(pieces, url));
  };
  return { patterns, matches };
}

function matchesPieces(pieces: readonly string[], text: string): boolean {
  const [first = '', ...rest] = pieces;
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let from = first.length;
  for (const piece of rest) {
    const at = text.indexOf(piece, from);
    if (at < 0) return false;
    from = at + piece.length;
  }
  return text.length - last.length >= from && text.endsWith(last);
}
