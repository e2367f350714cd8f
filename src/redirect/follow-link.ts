import type { IncomingHttpHeaders } from 'node:http';
import type { Click } from '../click/click.ts';
import { detached } from '../lib/detached.ts';
import { type LinkResolver, type ResolvedLink, StoreUnavailable } from '../link/link-store.ts';
import type { BlockList } from '../store/store.ts';
import { otherSpellings } from './request-target.ts';

/** A link that a request asks for. */
export interface FoundLink {
  /** As it was issued, however the request spelt it. */
  readonly token: string;
  readonly resolved: ResolvedLink;
}

/** The outcome of following a link. */
export type Followed =
  | { readonly kind: 'unknown' }
  | ({ readonly kind: 'blocked' | 'live' | 'expired' } & FoundLink);

// Visible ASCII and space: such a target cannot end a header line.
const SAFE_TARGET = /^https?:\/\/[\x20-\x7e]+$/i;

/**
 * Looks up the first known token and decides whether its link may be followed.
 * @param tokens the candidates of `tokensIn`
 * @param host lower case, with its port where it has one; undefined where the Host is not checked
 * @param now Unix milliseconds
 * @throws StoreUnavailable when that cannot be known now
 */
export async function followLink(
  { resolver, blocks }: { readonly resolver: LinkResolver; readonly blocks: BlockList },
  tokens: readonly string[],
  host: string | undefined,
  now: number,
): Promise<Followed> {
  let found: FoundLink | undefined;
  for (let at = 0; at < tokens.length && found === undefined; at++) {
    const token = tokens[at] as string;
    const resolved = await resolver.resolve(token, host);
    found = mayFollow(resolved, host)
      ? { token, resolved }
      : await findOther(resolver, otherSpellings(token), host);
  }
  if (found === undefined) return { kind: 'unknown' };
  const { token, resolved } = found;
  try {
    const block = blocks.find(token, resolved);
    if ((block instanceof Promise ? await block : block) !== undefined) {
      return { kind: 'blocked', token, resolved };
    }
  } catch (error) {
    // A link that was resolved goes on working while the block list cannot be read; the list itself
    // goes on blocking what it knows to be blocked.
    if (!(error instanceof StoreUnavailable)) throw error;
  }
  return { kind: now < resolved.message.expires * 1000 ? 'live' : 'expired', token, resolved };
}

/** In one turn, so that a store reads them all at once: an unknown token costs two look-ups, not six. */
async function findOther(
  resolver: LinkResolver,
  tokens: readonly string[],
  host: string | undefined,
): Promise<FoundLink | undefined> {
  const all = await Promise.all(tokens.map((token) => resolver.resolve(token, host)));
  for (const [at, resolved] of all.entries()) {
    if (mayFollow(resolved, host)) return { token: tokens[at] as string, resolved };
  }
  return undefined;
}

function mayFollow(
  resolved: ResolvedLink | undefined,
  host: string | undefined,
): resolved is ResolvedLink {
  return (
    resolved !== undefined &&
    (host === undefined || resolved.isFor(host)) &&
    SAFE_TARGET.test(resolved.link.target)
  );
}

/** The click of a followed link, with the headers as the browser sent them, but never longer than anybody needs them. */
export function clickOn(
  { token, resolved }: FoundLink,
  time: number,
  ip: string | undefined,
  headers: IncomingHttpHeaders,
): Click {
  return {
    token,
    resolved,
    time,
    ip,
    userAgent: cut(headers['user-agent'], 1000),
    acceptLanguage: cut(headers['accept-language'], 200),
  };
}

function cut(header: string | undefined, length: number): string | undefined {
  return header !== undefined && header.length > length
    ? detached(header.slice(0, length))
    : header;
}
