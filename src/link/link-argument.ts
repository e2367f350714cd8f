import type { LinkResolver, ResolvedLink } from './link-store.ts';
import { isMessageId } from './message-id.ts';
import { isSealedToken } from './sealed-token.ts';
import { isStoredToken } from './stored-token.ts';

/** A text that was copied from a mail, a log or an event. */
export type LinkArgument =
  | { readonly kind: 'token'; readonly token: string; readonly host?: string }
  | { readonly kind: 'message'; readonly messageId: string }
  | { readonly kind: 'url'; readonly url: string };

/** The minimum is shorter than any token and longer than a message id. */
const TOKEN = /^[\w-]{20,}$/;

/**
 * A token, a tracked URL (whose path ends in a token, sublink or not), a message id, or any other
 * http or https URL.
 * @returns undefined for any other text
 */
export function parseLinkArgument(text: string): LinkArgument | undefined {
  if (isMessageId(text)) return { kind: 'message', messageId: text };
  if (isToken(text)) return { kind: 'token', token: text };
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return undefined;
  const { pathname, host } = new URL(text);
  const path = pathname.replace(/\/+$/, ''); // as some programs add one
  // Behind the token there may be a bracket, or what else was copied with the URL.
  const [token = ''] = /^[\w-]*/.exec(path.slice(path.lastIndexOf('/') + 1)) ?? [];
  return isToken(token) ? { kind: 'token', token, host } : { kind: 'url', url: text };
}

function isToken(text: string): boolean {
  return TOKEN.test(text) && (isStoredToken(text) || isSealedToken(text));
}

/**
 * Finds the link of a copied token, even if only the host of its URL is wrong.
 * @throws StoreUnavailable
 */
export async function findLink(
  resolver: LinkResolver,
  { token, host }: { readonly token: string; readonly host?: string },
): Promise<ResolvedLink | undefined> {
  return (
    (host === undefined ? undefined : await resolver.resolve(token, host)) ??
    (await resolver.resolve(token))
  );
}

/** Says that `findLink` found nothing. */
export function linkNotFound(token: string): string {
  return `"${token}" not found: unknown, expired or damaged, or its tracking domain is not configured here`;
}
