import type { LinkIssuer, LinkResolver } from '../../link/link-store.ts';
import type { ClickCounter } from '../counters.ts';
import type { EventAppender, EventConsumer, StreamReader } from '../events.ts';
import type { EditableBlockList, SentCounter } from '../store.ts';
import { RedisBlocks } from './blocks.ts';
import { RedisConnection } from './connection.ts';
import { RedisCounters } from './counters.ts';
import { type ConsumerName, RedisEventConsumer } from './event-consumer.ts';
import { RedisEventReader } from './event-reader.ts';
import { RedisEvents } from './events.ts';
import { type Forgetting, type Forgotten, forgetRecipient } from './forget-recipient.ts';
import { type RedisHealth, redisHealth } from './health.ts';
import { Keys } from './keys.ts';
import type { RedisStoreOptions } from './options.ts';
import { ReplicatedWrites } from './replicated-writes.ts';
import { RedisReport } from './report.ts';
import { RedisSealKeys } from './seal-keys.ts';
import { StoredLinks } from './stored-links.ts';

/** All that clickmilter keeps in Redis. Whatever cannot be done at the moment rejects with StoreUnavailable. */
export interface RedisStore {
  readonly issuer: LinkIssuer;
  readonly resolver: LinkResolver;
  readonly blocks: EditableBlockList;
  /** The click stream. */
  readonly events: EventAppender;
  /**
   * Reads the stream on a connection of its own; `after` is an event's id, `0` (the oldest on) or `$` (only new ones).
   */
  openReader(after: string): StreamReader;
  openConsumer(name: ConsumerName): EventConsumer;
  readonly counters: SentCounter & ClickCounter & { flush(): Promise<void> };
  readonly reports: RedisReport;
  /** Erases what is stored about a recipient; looks at everything there is. */
  forget(forgetting: Forgetting): Promise<Forgotten>;
  /** Compares the sealing keys of the hosts that share the store. */
  readonly sealKeys: RedisSealKeys;
  health(): Promise<RedisHealth>;
  /** Writes what the counters hold, and ends all but the readers and consumers. */
  close(): Promise<void>;
}

/** Touches nothing yet: the first command connects. */
export function createRedisStore(options: RedisStoreOptions): RedisStore {
  // Of two connections it is told as of one: Redis is away while either of them is.
  const away = new Map<'all' | 'saving', string>();
  const watch = (name: 'all' | 'saving') => (unavailable: string | undefined) => {
    const isKnown = [...away.values()].includes(unavailable ?? '');
    if (unavailable === undefined) away.delete(name);
    else away.set(name, unavailable);
    if (unavailable === undefined ? away.size === 0 : !isKnown) options.onConnection?.(unavailable);
  };
  const connection = new RedisConnection(options, { onConnection: watch('all') });
  const keys = new Keys(options.keyPrefix);
  const links = new StoredLinks(connection, keys);
  const { commandTimeoutMs, waitReplicas = 0, waitTimeoutMs = commandTimeoutMs } = options;
  // Whoever follows a link is not to wait for replicas.
  const saving =
    waitReplicas > 0
      ? new RedisConnection(
          { ...options, commandTimeoutMs: commandTimeoutMs + waitTimeoutMs },
          { onConnection: watch('saving') },
        )
      : undefined;
  const events = new RedisEvents(connection, keys, options.stream);
  const counters = new RedisCounters(connection, keys, options.onCountsRefused);
  const reports = new RedisReport(connection, keys);
  const ownConnection = () => new RedisConnection(options, { blocking: true });
  return {
    issuer:
      saving === undefined
        ? links
        : new StoredLinks(saving, keys, new ReplicatedWrites(saving, waitReplicas, waitTimeoutMs)),
    resolver: links,
    blocks: new RedisBlocks(connection, keys),
    events,
    openReader: (after) => new RedisEventReader(ownConnection(), keys, after),
    openConsumer: (name) => new RedisEventConsumer(ownConnection(), keys, name),
    counters,
    reports,
    forget: (forgetting) => forgetRecipient(connection, keys, links, forgetting),
    sealKeys: new RedisSealKeys(connection, keys),
    health: async () => redisHealth(connection, { ...(await events.usage()), ...options.stream }),
    close: async () => {
      await counters.flush();
      counters.stop();
      connection.close();
      saving?.close();
    },
  };
}
