import type { LinkResolver } from '../link/link-store.ts';
import { parseStoredToken } from '../link/stored-token.ts';

/**
 * The resolver of a service without a store, which knows no stored link. A click on one means that links sent before
 * link_store was changed no longer work, which the operator should know.
 * @param warn called for each look-up of one
 */
export function withoutStore(resolver: LinkResolver, warn: () => void): LinkResolver {
  return {
    resolve(token, host) {
      if (parseStoredToken(token) !== undefined) warn();
      return resolver.resolve(token, host);
    },
  };
}
