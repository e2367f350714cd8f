import type { LinkResolver } from '../link/link-store.ts';
import { parseStoredToken } from '../link/stored-token.ts';

/**
 * The resolver of a service without a store, which knows no stored link: where somebody follows one, those sent before
 * link_store was changed are dead, and whoever changed it should know.
 * @param warn called once
 */
export function withoutStore(resolver: LinkResolver, warn: () => void): LinkResolver {
  let warned = false;
  return {
    resolve(token) {
      if (!warned && parseStoredToken(token) !== undefined) {
        warned = true;
        warn();
      }
      return resolver.resolve(token);
    },
  };
}
