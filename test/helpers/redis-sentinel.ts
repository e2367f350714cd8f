import { poll } from './poll.ts';
import { type Redis, startRedis } from './redis.ts';

/** A master, a replica, and three sentinels that fail over within about two seconds. */
export interface SentinelSetup {
  readonly name: string;
  /** `host:port` of each sentinel. */
  readonly sentinels: readonly string[];
  readonly master: Redis;
  readonly replica: Redis;
  /** Asks the sentinels to make the replica the master now, as an operator does before maintenance. */
  failover(): Promise<void>;
  stop(): Promise<void>;
}

export async function startSentinels(): Promise<SentinelSetup> {
  const name = 'links';
  // Without the default's five seconds in which further replicas might come.
  const now = ['--repl-diskless-sync-delay', '0'];
  const master = await startRedis({ args: now });
  const replica = await startRedis({ args: [...now, '--replicaof', `127.0.0.1 ${master.port}`] });
  await poll('the replica to be in sync', async () =>
    (await replica.cli('info', 'replication')).includes('master_link_status:up'),
  );
  const conf = [
    `sentinel monitor ${name} 127.0.0.1 ${master.port} 2`,
    `sentinel down-after-milliseconds ${name} 700`,
    `sentinel failover-timeout ${name} 3000`,
  ].join('\n');
  const sentinels = await Promise.all([1, 2, 3].map(() => startRedis({ sentinel: true, conf })));
  await poll('the sentinels to know each other and the replica', async () => {
    const states = await Promise.all(
      sentinels.map((sentinel) => sentinel.cli('sentinel', 'master', name)),
    );
    return states.every(
      (state) => /num-slaves\n1\n/.test(state) && /num-other-sentinels\n2\n/.test(state),
    );
  });
  return {
    name,
    sentinels: sentinels.map(({ port }) => `127.0.0.1:${port}`),
    master,
    replica,
    failover: async () => {
      await sentinels[0]?.cli('sentinel', 'failover', name);
    },
    stop: async () => {
      await Promise.all([...sentinels, replica, master].map((server) => server.stop()));
    },
  };
}
