import { Cluster } from 'ioredis';
import type { RedisConnection } from './connection.ts';

/**
 * Sends what the connection holds back until the end of this turn of the event loop. For commands that gather many things
 * themselves: the sooner Redis begins with them, the more of it is done while we are busy with others.
 */
export function sendNow({ client }: RedisConnection): void {
  if (!(client instanceof Cluster)) client.stream?.uncork();
}
