import { poll } from './poll.ts';
import { type Redis, startRedis } from './redis.ts';

/** Three masters that share the 16,384 slots; no replicas but those asked for. */
export interface ClusterSetup {
  readonly nodes: readonly Redis[];
  /** `host:port` of each node. */
  readonly addresses: readonly string[];
  /** Which node has a key. */
  nodeOf(key: string): Promise<Redis>;
  /** Moves a key's slot, and whatever is in it, to another node, as resharding does. */
  moveSlot(key: string, to: Redis): Promise<void>;
  /** A further node that follows a master, in sync and known to all, so that it takes over some seconds after its end. */
  addReplica(master: Redis): Promise<Redis>;
  stop(): Promise<void>;
}

const SLOTS = 16_384;

/** @param host the address of all nodes */
export async function startCluster(host = '127.0.0.1'): Promise<ClusterSetup> {
  const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];
  // Without the default's five seconds in which further replicas might come.
  args.push('--repl-diskless-sync-delay', '0');
  args.push('--bind', host, '--protected-mode', 'no');
  const nodes = await Promise.all([0, 1, 2].map(() => startRedis({ args })));
  const replicas: Redis[] = [];
  const [first] = nodes;
  if (first === undefined) throw new Error('no nodes');
  const share = Math.ceil(SLOTS / nodes.length);
  for (const [i, node] of nodes.entries()) {
    const last = Math.min((i + 1) * share, SLOTS) - 1;
    await node.cli('cluster', 'addslotsrange', `${i * share}`, `${last}`);
    if (node !== first) await first.cli('cluster', 'meet', host, `${node.port}`);
  }
  await poll('the cluster to be whole', async () => {
    const infos = await Promise.all(nodes.map((node) => node.cli('cluster', 'info')));
    return infos.every(
      (info) => /cluster_state:ok/.test(info) && /cluster_known_nodes:3/.test(info),
    );
  });

  const slotOf = (key: string) => first.cli('cluster', 'keyslot', key);
  const idOf = (node: Redis) => node.cli('cluster', 'myid');
  const nodeOf = async (key: string): Promise<Redis> => {
    const slot = Number(await slotOf(key));
    for (const node of nodes) {
      const own = /myself.*$/m.exec(await node.cli('cluster', 'nodes'))?.[0] ?? '';
      if (inRanges(own.slice(own.indexOf('connected') + 'connected'.length), slot)) return node;
    }
    throw new Error(`no node has slot ${slot}`);
  };
  return {
    nodes,
    addresses: nodes.map(({ port }) => `${host}:${port}`),
    nodeOf,
    moveSlot: async (key, to) => {
      const slot = await slotOf(key);
      const from = await nodeOf(key);
      await to.cli('cluster', 'setslot', slot, 'importing', await idOf(from));
      await from.cli('cluster', 'setslot', slot, 'migrating', await idOf(to));
      const keys = (await from.cli('cluster', 'getkeysinslot', slot, '1000')).split('\n');
      for (const name of keys.filter((text) => text !== '')) {
        await from.cli('migrate', host, `${to.port}`, name, '0', '5000');
      }
      for (const node of [to, from])
        await node.cli('cluster', 'setslot', slot, 'node', await idOf(to));
    },
    addReplica: async (master) => {
      const replica = await startRedis({ args });
      replicas.push(replica);
      await replica.cli('cluster', 'meet', host, `${master.port}`);
      const id = await idOf(master);
      // Refused until it has heard of its master.
      await poll('the replica to follow', async () => {
        const reply = await replica.cli('cluster', 'replicate', id);
        return reply === 'OK';
      });
      // As its master sees it: before that, what is written waits there.
      await poll('the replica to be in sync', async () =>
        (await master.cli('info', 'replication')).includes('state=online'),
      );
      await poll('all to know the replica', async () => {
        const known = await Promise.all(nodes.map((node) => node.cli('cluster', 'replicas', id)));
        return known.every((list) => list.includes(`:${replica.port}@`));
      });
      return replica;
    },
    stop: async () => {
      await Promise.all([...replicas, ...nodes].map((node) => node.stop()));
    },
  };
}

/** @param ranges such as ` 0-5461 6000` */
function inRanges(ranges: string, slot: number): boolean {
  return ranges
    .trim()
    .split(' ')
    .some((range) => {
      const [from, to = from] = range.split('-').map(Number);
      return from !== undefined && to !== undefined && from <= slot && slot <= to;
    });
}
