import type { IssuedLinks } from '../../src/link/link-store.ts';
import type { TrackedLink } from '../../src/link/message-facts.ts';

/** The token of a link that there is room for. @throws Error where there is none */
export function tokenOf(issued: IssuedLinks, link: TrackedLink): string {
  const token = issued.token(link);
  if (token === undefined) throw new Error(`no token for ${link.target.slice(0, 100)}`);
  return token;
}
