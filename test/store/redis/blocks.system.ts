import { afterEach, expect, test, vi } from 'vitest';
import { RedisConnection } from '../../../src/store/redis/connection.ts';
import type { Ruling } from '../../../src/store/store.ts';
import { startRedis } from '../../helpers/redis.ts';
import { startCluster } from '../../helpers/redis-cluster.ts';
import { exampleMessage } from '../../link/example-message.ts';
import { tokenOf } from '../../link/token-of.ts';
import { type OpenOptions, openStore } from './open-store.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of closers.splice(0).reverse()) await close();
});

const shapes: Readonly<Record<string, () => Promise<OpenOptions & { readonly url: string }>>> = {
  'one server': async () => {
    const redis = await startRedis();
    closers.push(() => redis.stop());
    return { url: redis.url };
  },
  'a Cluster': async () => {
    const cluster = await startCluster();
    closers.push(() => cluster.stop());
    return { url: 'redis://unused', nodes: cluster.addresses };
  },
};

/** Runs a command line that is killed after so many commands to Redis. @returns whether it was */
async function killAfter(commands: number, run: () => Promise<unknown>): Promise<boolean> {
  const send = RedisConnection.prototype.run;
  let sent = 0;
  vi.spyOn(RedisConnection.prototype, 'run').mockImplementation(function (
    this: RedisConnection,
    ...command: Parameters<typeof send>
  ) {
    if (sent++ < commands) return send.apply(this, command);
    return Promise.reject(new Error('the process was killed'));
  } as typeof send);
  const isKilled = await run().then(
    () => false,
    () => true,
  );
  vi.restoreAllMocks();
  return isKilled;
}

test.each(Object.keys(shapes))(
  'with %s, a change of the block list that is killed is known to every host, or to none',
  async (shape) => {
    const options = await (
      shapes[shape] as () => Promise<OpenOptions & { readonly url: string }>
    )();
    const [operator, host] = [1, 2].map(() => openStore({ ...options, commandTimeoutMs: 15_000 }));
    if (operator === undefined || host === undefined) throw new Error('no store');
    closers.push(
      () => operator.close(),
      () => host.close(),
    );
    const issued = operator.issuer.issue(exampleMessage());
    const token = tokenOf(issued, { target: 'https://shop.example/', part: 'html' });
    await issued.commit();
    const found = async () => {
      const resolved = await host.resolver.resolve(token);
      return resolved && host.blocks.find(token, resolved);
    };
    const made = { by: 'alice@mx1', since: '2026-11-29T12:00:00.000Z' };
    const block = { kind: 'token', value: token } as const;
    const rulings: Ruling[] = [block, { ...block, to: 'https://b.example/', ...made }];
    for (const ruling of rulings) {
      for (const change of ['add', 'remove'] as const) {
        for (let commands = 0, isKilled = true; isKilled; commands++) {
          await found();
          isKilled = await killAfter(commands, () => operator.blocks[change](ruling));
          expect(await found(), `${change} after ${commands}`).toEqual(
            (await host.blocks.all())[0],
          );
        }
      }
    }
  },
);
