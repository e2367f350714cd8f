import type { IncomingHttpHeaders } from 'node:http';
import type { Click } from '../click/click.ts';
import { detached, isSafeUrl } from '../lib/text.ts';
import { leadsBack } from '../link/destination.ts';
import { type LinkResolver, type ResolvedLink, StoreUnavailable } from '../link/link-store.ts';
import { isSealedToken, MAX_TOKEN } from '../link/sealed-token.ts';
import { isStoredToken } from '../link/stored-token.ts';
import type { BlockList, OptOuts, Retarget } from '../store/store.ts';

/** The URL without query and fragment. */
export function pathOf(url: string): string {
  const end = url.search(/[?#]/);
  return end < 0 ? url : url.slice(0, end);
}

/** The start of a path component that may be a token: every token is longer than 20 characters. */
const CANDIDATE = /(?<=\/)[A-Za-z0-9][A-Za-z0-9_-]{19,}/g;
/** The most components of one path that are looked up. */
const MAX_CANDIDATES = 4;
/** The path of a link with a sublink, which may hold an encoded `?` or `#`. */
const WITH_SUBLINK = /^\/+f\//;

/**
 * Finds the tokens that a path may hold, the likeliest first. A token begins a path component and
 * ends at the first character that no token has: a mail program, a gateway or a text appended the
 * rest. Components before it are a sublink, which may have many that look like tokens, as what
 * follows may: the first and the last ones are tried. Gateways percent-encode links, some of them
 * twice.
 * @returns copies, which keep no part of the request in memory
 */
export function tokensIn(path: string): string[] {
  const text = path.includes('%') ? decoded(path) : path;
  const searched = WITH_SUBLINK.test(text) ? text : pathOf(text);
  const tokens = (searched.match(CANDIDATE) ?? []).filter(
    (one) => one.length <= MAX_TOKEN && (isStoredToken(one) || isSealedToken(one)),
  );
  if (tokens.length > MAX_CANDIDATES) {
    tokens.splice(MAX_CANDIDATES / 2, tokens.length - MAX_CANDIDATES);
  }
  return tokens.map(detached);
}

/**
 * Decodes each byte as latin1: no token has a character beyond ASCII. An invalid escape stays, and
 * ends a token as any `%` does.
 */
function decoded(path: string): string {
  let text = path;
  for (let encodings = 0; encodings < 2 && text.includes('%'); encodings++) {
    text = text.replace(/%([\da-f]{2})/gi, (_escape, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  }
  return text;
}

/**
 * Other tokens to try for an unknown one, at most five. Texts put `-` and `_` behind links, so the
 * token is tried without them. Earlier versions issued tokens that end in `-`, which some mail
 * programs leave out of the link, so the token is tried with them.
 */
function otherSpellings(token: string): string[] {
  let bare = token.length;
  while (bare > 0 && '-_'.includes(token.charAt(bare - 1))) bare--;
  const shorter = [bare, bare + 1, bare + 2].filter((length) => length < token.length);
  return [...shorter.map((length) => token.slice(0, length)), `${token}-`, `${token}--`];
}

/** A link that a request asks for. */
export interface FoundLink {
  /** The token as it was issued. */
  readonly token: string;
  readonly resolved: ResolvedLink;
  /** Where an operator has it lead instead of its target. */
  readonly retarget?: Retarget;
}

/** The outcome of following a link. */
export type Followed =
  | { readonly kind: 'unknown' }
  | ({ readonly kind: 'blocked' | 'live' | 'expired' } & FoundLink);

/** What links are looked up in. */
export interface LinkSources {
  readonly resolver: LinkResolver;
  /** Whether a link answers only to the host it was made for. */
  readonly checkHost: boolean;
  readonly blocks: BlockList;
  /**
   * The hosts of tracked links, in lower case and without ports: a retarget to one of them is
   * ignored. That of the link itself need not be among them.
   */
  readonly trackingHosts?: () => ReadonlySet<string>;
}

/**
 * Looks up the first known token and decides whether its link may be followed.
 * @param tokens the candidates of `tokensIn`
 * @param host lower case, with its port where it has one
 * @param now Unix milliseconds
 * @throws StoreUnavailable where the store cannot be read
 */
export async function followLink(
  { resolver, blocks, trackingHosts, checkHost }: LinkSources,
  tokens: readonly string[],
  host: string,
  now: number,
): Promise<Followed> {
  const find = async (token: string): Promise<FoundLink | undefined> => {
    const resolved = await resolver.resolve(token, host, !checkHost);
    const mayFollow =
      resolved !== undefined &&
      (!checkHost || resolved.isFor(host)) &&
      isSafeUrl(resolved.link.target);
    return mayFollow ? { token, resolved } : undefined;
  };
  let found: FoundLink | undefined;
  for (let at = 0; at < tokens.length && found === undefined; at++) {
    const token = tokens[at] as string;
    found = await find(token);
    if (found === undefined) {
      // In one turn, so that a store reads them at once: an unknown token costs two look-ups, not six.
      const others = await Promise.all(otherSpellings(token).map(find));
      found = others.find((other) => other !== undefined);
    }
  }
  if (found === undefined) return { kind: 'unknown' };
  const { resolved } = found;
  try {
    const answer = blocks.find(found.token, resolved);
    const ruling = answer instanceof Promise ? await answer : answer;
    if (ruling !== undefined && ruling.to === undefined) return { kind: 'blocked', ...found };
    if (ruling !== undefined && !leadsBack(ruling.to, trackingHosts?.(), resolved)) {
      found = { ...found, retarget: ruling };
    }
  } catch (error) {
    // A link that was resolved goes on working while the block list cannot be read; the list itself
    // goes on blocking what it knows to be blocked.
    if (!(error instanceof StoreUnavailable)) throw error;
  }
  return { kind: now < resolved.message.expires * 1000 ? 'live' : 'expired', ...found };
}

/**
 * Headers in which browsers say why they load a page; Chromium, WebKit and Gecko have had several.
 */
const PURPOSES = ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'] as const;
const AHEAD = /\b(?:prefetch|prerender|preview)\b/i;

/**
 * The click of a followed link, with the headers as the browser sent them, up to a useful length.
 */
export function clickOn(
  { token, resolved, retarget }: FoundLink,
  time: number,
  ip: string | undefined,
  headers: IncomingHttpHeaders,
  isAnonymous: boolean,
): Click {
  return {
    token,
    resolved,
    // Where a retarget is about one message, its URL leads to that message.
    redirectedTo: isAnonymous && retarget?.kind !== 'url' ? undefined : retarget?.to,
    isAnonymous,
    time,
    ip,
    isPrefetch: PURPOSES.some((name) => AHEAD.test(String(headers[name] ?? ''))),
    userAgent: cut(headers['user-agent'], 1000),
    acceptLanguage: cut(headers['accept-language'], 200),
  };
}

/**
 * Whether the recipient of a link has opted out since it was sent. Where that cannot be known now,
 * it may be so.
 */
export async function hasOptedOut(
  optOuts: OptOuts,
  { message: { recipients } }: ResolvedLink,
): Promise<boolean> {
  // Clicks name none of several.
  if (recipients.length !== 1) return false;
  try {
    return await optOuts.hasAny(recipients);
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    return true;
  }
}

/**
 * Whether a browser sends the signal that its reader does not want to be tracked: Global Privacy
 * Control, or Do Not Track.
 */
export function asksForPrivacy(headers: IncomingHttpHeaders): boolean {
  return headers['sec-gpc'] === '1' || headers['dnt'] === '1';
}

function cut(header: string | undefined, length: number): string | undefined {
  return header !== undefined && header.length > length
    ? detached(header.slice(0, length))
    : header;
}
