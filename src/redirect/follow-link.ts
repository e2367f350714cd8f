import type { IncomingHttpHeaders } from 'node:http';
import type { BlockList, Click } from '../link/click.ts';
import { detached } from '../link/detached.ts';
import { type LinkResolver, type ResolvedLink, StoreUnavailable } from '../link/link-store.ts';

/** What following a link comes to. */
export type Followed =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'blocked'; readonly resolved: ResolvedLink }
  | { readonly kind: 'live' | 'expired'; readonly resolved: ResolvedLink };

// Visible ASCII and space: what cannot end a header line, and what a target consists of anyway.
const SAFE_TARGET = /^https?:\/\/[\x20-\x7e]+$/i;

/**
 * Looks a token up and decides whether its link may be followed.
 * @param host lower case, with its port where it has one; undefined where the Host is not to be checked
 * @param now Unix milliseconds
 * @throws StoreUnavailable when that cannot be known now
 */
export async function followLink(
  { resolver, blocks }: { readonly resolver: LinkResolver; readonly blocks: BlockList },
  token: string,
  host: string | undefined,
  now: number,
): Promise<Followed> {
  const resolved = await resolver.resolve(token);
  if (!resolved || (host !== undefined && !resolved.isFor(host))) return { kind: 'unknown' };
  if (!SAFE_TARGET.test(resolved.link.target)) return { kind: 'unknown' };
  try {
    const block = blocks.find(token, resolved);
    if ((block instanceof Promise ? await block : block) !== undefined) {
      return { kind: 'blocked', resolved };
    }
  } catch (error) {
    // A link that could be resolved goes on working when the block list cannot be read; what that list knows to be
    // blocked it goes on blocking by itself.
    if (!(error instanceof StoreUnavailable)) throw error;
  }
  return { kind: now < resolved.message.expires * 1000 ? 'live' : 'expired', resolved };
}

/** The click of a followed link, with the headers as the browser sent them, but never longer than anybody needs them. */
export function clickOn(
  token: string,
  resolved: ResolvedLink,
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
