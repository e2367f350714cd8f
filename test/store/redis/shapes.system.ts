import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe } from 'vitest';
import type { RedisStore } from '../../../src/store/redis/store.ts';
import { freePort } from '../../helpers/free-port.ts';
import { startRedis } from '../../helpers/redis.ts';
import { startCluster } from '../../helpers/redis-cluster.ts';
import { startSentinels } from '../../helpers/redis-sentinel.ts';
import { makeCertificates } from '../../helpers/tls-certificates.ts';
import { storeContract } from '../contract.ts';
import { JOURNAL, openStore } from './open-store.ts';

/** A server, or several, as one shape of Redis, and a store that reaches them. */
interface Shape {
  readonly store: RedisStore;
  stop(): Promise<unknown>;
}

/** What the reference says that an ACL user needs. */
const [, NEEDED = ''] =
  /An ACL user needs: (.*)/.exec(readFileSync('conf/clickmilter.conf', 'utf8')) ?? [];

const shapes: Readonly<Record<string, () => Promise<Shape>>> = {
  'TCP, with a password and a database of its own': async () => {
    const redis = await startRedis({ args: ['--requirepass', 'p@ss/word'] });
    const url = `redis://:p%40ss%2Fword@127.0.0.1:${redis.port}/3`;
    return { store: openStore({ url }), stop: () => redis.stop() };
  },

  'a unix socket': async () => {
    const redis = await startRedis();
    return { store: openStore({ url: `unix://${redis.socket}` }), stop: () => redis.stop() };
  },

  'TLS with certificates on both sides, as an ACL user who may do no more than he must':
    async () => {
      const files = await makeCertificates();
      const port = await freePort();
      const redis = await startRedis({
        port,
        conf: [
          `tls-ca-cert-file ${files.ca}`,
          `tls-cert-file ${files.certificate}`,
          `tls-key-file ${files.key}`,
          'tls-auth-clients yes',
          'user default off',
          'user clickmilter on >s3cret/:@ ~clickmilter:* -@all +@read +@write +@connection +info +time +wait +eval +config|get',
        ].join('\n'),
        args: ['--port', '0', '--tls-port', `${port}`],
      });
      return {
        store: openStore({
          url: `rediss://localhost:${port}`,
          username: 'clickmilter',
          password: 's3cret/:@',
          tlsCa: files.ca,
          tlsCertificate: files.certificate,
          tlsKey: files.key,
        }),
        stop: () => Promise.all([redis.stop(), rm(files.folder, { recursive: true })]),
      };
    },

  Sentinel: async () => {
    const setup = await startSentinels();
    const { sentinels, name: sentinelName } = setup;
    return {
      store: openStore({ url: 'redis://unused', sentinels, sentinelName, waitReplicas: 1 }),
      stop: () => setup.stop(),
    };
  },

  'a cluster of three, as such a user': async () => {
    const cluster = await startCluster();
    for (const node of cluster.nodes) {
      await node.cli('acl', 'setuser', 'clickmilter', 'on', '>pw', ...NEEDED.split(' '));
      await node.cli('acl', 'setuser', 'default', 'off');
    }
    return {
      store: openStore({
        url: 'redis://unused',
        nodes: cluster.addresses.slice(0, 2),
        username: 'clickmilter',
        password: 'pw',
      }),
      stop: () => cluster.stop(),
    };
  },
};

describe.each(Object.entries(shapes))('over %s', (_, start) => {
  let shape: Shape;
  beforeAll(async () => {
    shape = await start();
  });
  afterAll(async () => {
    await shape?.store.close();
    await shape?.stop();
    await rm(JOURNAL, { recursive: true, force: true });
  });

  storeContract(() => shape.store, 30);
});
