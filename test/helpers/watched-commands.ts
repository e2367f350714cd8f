import { randomUUID } from 'node:crypto';
import { onTestFinished } from 'vitest';
import { requireProgram, startPeer } from './peer-process.ts';
import { poll } from './poll.ts';
import type { Redis } from './redis.ts';

/** Names of commands in lower case, by the connection that sent them. */
type Commands = ReadonlyMap<string, readonly string[]>;

/**
 * Watches the commands that a server gets until the end of the test, but for those of its scripts.
 * By redis-cli: a client of ioredis may take commands of others for the answer to its MONITOR.
 */
export async function watchCommands(redis: Redis) {
  const monitor = startPeer(requireProgram('redis-cli', 'redis-tools'), [
    ...['-s', redis.socket],
    'monitor',
  ]);
  onTestFinished(() => void monitor.signal('SIGKILL'));
  await poll('the watch of commands', () => monitor.stdout().startsWith('OK'));
  return {
    /** @returns the commands while something is done */
    async during(work: () => Promise<unknown>): Promise<Commands> {
      const begin = monitor.stdout().length;
      await work();
      const last = randomUUID();
      await redis.cli('echo', last);
      await poll('the last command', () => monitor.stdout().includes(last));
      const found = new Map<string, string[]>();
      for (const line of monitor.stdout().slice(begin).split('\n')) {
        const [, source = 'lua', name = ''] = /^\S+ \[\d+ (\S+)\] "(\w+)"/.exec(line) ?? [];
        if (source === 'lua' || line.includes(last)) continue;
        found.set(source, [...(found.get(source) ?? []), name.toLowerCase()]);
      }
      return found;
    },
  };
}
