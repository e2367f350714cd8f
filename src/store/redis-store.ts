import type { EditableBlockList } from '../link/editable-block-list.ts';
import type { EventAppender } from '../link/event-stream.ts';
import type { LinkIssuer, LinkResolver } from '../link/link-store.ts';
import { RedisConnection } from './connection.ts';
import { Keys } from './keys.ts';
import type { RedisStoreOptions } from './options.ts';
import { RedisBlocks } from './redis-blocks.ts';
import { RedisEvents } from './redis-events.ts';
import { StoredLinks } from './stored-links.ts';

/** All that clickmilter keeps in Redis. */
export interface RedisStore {
  readonly issuer: LinkIssuer;
  readonly resolver: LinkResolver;
  /** The click stream: one entry a click, with one field `event`. */
  readonly events: EventAppender;
  readonly blocks: EditableBlockList;
  close(): Promise<void>;
}

/** Touches nothing yet: the first command connects. */
export function createRedisStore(options: RedisStoreOptions): RedisStore {
  const connection = new RedisConnection(options, options.onConnection);
  const keys = new Keys(options.keyPrefix);
  const links = new StoredLinks(connection, keys, options);
  return {
    issuer: links,
    resolver: links,
    events: new RedisEvents(connection, keys, options.streamMaxLength),
    blocks: new RedisBlocks(connection, keys),
    close: async () => connection.close(),
  };
}
