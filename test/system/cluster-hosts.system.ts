import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { builtProgram } from '../helpers/built-program.ts';
import { ask, type Followed } from '../helpers/follow.ts';
import { type NetworkHost, startNetwork } from '../helpers/network.ts';
import { type PeerProcess, startPeer } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';
import type { Redis } from '../helpers/redis.ts';
import { type ClusterSetup, startCluster } from '../helpers/redis-cluster.ts';
import { openStore } from '../store/redis/open-store.ts';

// Two hosts for mail and two for clicks, each in a network of its own, share a Redis Cluster of six nodes. The
// master that keeps the click stream is killed under load.

const DOMAIN = 'click.example.com';
const MILTER_PORT = 8894;
const HTTP_PORT = 8895;
const LINKS = 3;
/** Senders of each milter host, and readers of each redirect host. */
const AT_ONCE = 4;

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanup.splice(0).reverse()) await undo();
});

interface Issued {
  readonly path: string;
  readonly target: string;
}

/** What has been done under load so far. */
interface Load {
  accepted: number;
  readonly links: Issued[];
  /** The user agents of the clicks that were answered with the target. */
  readonly clicked: Set<string>;
}

test('one of six nodes is killed under load: both kinds of hosts go on, and nothing is lost', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'clickmilter-hosts-'));
  cleanup.push(() => rm(folder, { recursive: true }));
  const network = startNetwork(4);
  cleanup.push(() => network.stop());
  const cluster = await startCluster(network.address);
  cleanup.push(() => cluster.stop());
  await Promise.all(cluster.nodes.map((node) => cluster.addReplica(node)));
  // A shard without a master does not stop the others.
  for (const node of cluster.nodes)
    await node.cli('config', 'set', 'cluster-require-full-coverage', 'no');
  const [one, ...others] = network.hosts.map(
    (host, i) => () => startHost(folder, cluster, host, i),
  );
  await one?.(); // makes the keys
  await Promise.all(others.map((start) => start()));

  const load: Load = { accepted: 0, links: [], clicked: new Set() };
  const over = new AbortController();
  const [milters, redirects] = [network.hosts.slice(0, 2), network.hosts.slice(2)];
  const working = Promise.all([
    ...milters.flatMap((host, h) => atOnce((n) => send(host, `${h}-${n}`, load, over.signal))),
    ...redirects.flatMap((host, h) => atOnce((n) => click(host, `${h}-${n}`, load, over.signal))),
  ]);
  working.catch(() => {}); // awaited below
  const during = async (until: () => boolean | Promise<boolean>) => {
    const [begun, accepted, clicked] = [performance.now(), load.accepted, load.clicked.size];
    await Promise.race([poll('the load to go on', until, 40_000), working]);
    const seconds = (performance.now() - begun) / 1000;
    return {
      mail: (load.accepted - accepted) / seconds,
      clicks: (load.clicked.size - clicked) / seconds,
    };
  };

  const before = await during(() => load.accepted > 200 && load.clicked.size > 300);
  const killed = await cluster.nodeOf('clickmilter:events');
  const witness = cluster.nodes.find((node) => node !== killed) ?? killed;
  await killed.kill();
  const outage = await during(async () => (await mastersSeenBy(witness, killed)) === 3);
  // It comes back as the replica of its successor: before, that one had none to wait for.
  await killed.start();
  const [accepted, clicked] = [load.accepted, load.clicked.size];
  const after = await during(
    () => load.accepted > accepted + 200 && load.clicked.size > clicked + 300,
  );
  over.abort();
  await working;
  for (const rate of ['mail', 'clicks'] as const) {
    expect(outage[rate]).toBeGreaterThan(0);
    expect(after[rate]).toBeGreaterThan(before[rate] / 4);
  }
  // Records of messages and counts of their clicks: a third on each node.
  for (const share of await sharesOf(cluster.nodes)) {
    expect(Math.abs(share - 1 / 3)).toBeLessThan(0.1);
  }

  // Each link of each accepted message works.
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const wrong = await Promise.all(
    load.links.map(async ({ path, target }, i) => {
      const host = redirects[i % 2] as NetworkHost;
      let got = await get(host, path, `check-${i}`, agent);
      // Redis may be late on a busy machine.
      while (got.status === 503) got = await get(host, path, `check-${i}`, agent);
      return got.location === target ? [] : [{ path, target, ...got }];
    }),
  );
  expect(wrong.flat()).toEqual([]);
  agent.destroy();
  // Clicks of the outage waited in the journals of the redirect hosts.
  const store = openStore({ url: 'redis://unused', nodes: cluster.addresses });
  cleanup.push(() => store.close());
  const reader = store.events.openReader('oldest');
  cleanup.push(() => reader.close());
  await poll(
    'every click to be in the stream',
    async () => {
      for (const { event } of await reader.next(1000, 100)) {
        load.clicked.delete(JSON.parse(event).msys.track_event.user_agent);
      }
      return load.clicked.size === 0;
    },
    30_000,
  );
}, 120_000);

function atOnce(work: (n: number) => Promise<void>): Promise<void>[] {
  return Array.from({ length: AT_ONCE }, (_, n) => work(n));
}

/** Sends a message after the other, each until it is accepted. */
async function send(
  { address }: NetworkHost,
  name: string,
  load: Load,
  over: AbortSignal,
): Promise<void> {
  const client = await connectMilter({ host: address, port: MILTER_PORT });
  for (let n = 0; !over.aborted; ) {
    const targets = Array.from(
      { length: LINKS },
      (_, i) => `https://shop.example/${name}-${n}/${i}`,
    );
    const text = `From: a@sender.example\r\nSubject: ${name}-${n}\r\n\r\n${targets.join('\r\n')}\r\n`;
    const { answer, message } = await client.send({ message: Buffer.from(text) });
    if (typeof answer === 'object') continue; // deferred
    const paths = [...message.toString().matchAll(new RegExp(`http://${DOMAIN}(/\\S+)`, 'g'))];
    if (paths.length !== LINKS) throw new Error(`accepted without tracking:\n${message}`);
    load.links.push(...targets.map((target, i) => ({ path: paths[i]?.[1] ?? '', target })));
    load.accepted++;
    n++;
  }
  await client.quit();
}

/** Clicks on links that any host has issued, each until it is redirected. */
async function click(
  host: NetworkHost,
  name: string,
  load: Load,
  over: AbortSignal,
): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  for (let n = 0; !over.aborted; ) {
    const link = load.links[Math.floor(Math.random() * load.links.length)];
    if (link === undefined) {
      await sleep(20);
      continue;
    }
    const userAgent = `Mozilla/5.0 ${name}-${n}`;
    const { status, location } = await get(host, link.path, userAgent, agent);
    if (status === 503) continue;
    if (location !== link.target) throw new Error(`${link.path}: ${status} ${location}`);
    load.clicked.add(userAgent);
    n++;
  }
  agent.destroy();
}

function get(
  { address }: NetworkHost,
  path: string,
  userAgent: string,
  agent: Agent,
): Promise<Followed> {
  const headers = { host: DOMAIN, 'user-agent': userAgent };
  return ask({ address, port: HTTP_PORT, path, headers, agent });
}

/** Starts the milter on the first two hosts, the redirect on the others. */
async function startHost(
  folder: string,
  cluster: ClusterSetup,
  host: NetworkHost,
  index: number,
): Promise<PeerProcess> {
  const role = index < 2 ? 'milter' : 'redirect';
  const state = join(folder, `${role}-${index}`);
  await mkdir(state);
  const config = join(state, 'clickmilter.conf');
  await writeFile(
    config,
    `state_directory = "${state}"
link_store = redis
redis { nodes = ( ${cluster.addresses.map((node) => `"${node}"`).join(' ')} )  wait_replicas = 1 }
sealed { key_file = "${folder}/keys" }
Milter_Listener { Listen "${host.address}:${MILTER_PORT}" { } }
HTTP_Listener { Listen "${host.address}:${HTTP_PORT}" { } }
Control_Listener { enable = off }
ESMTP_Listener { click_tracking_enabled = true  tracking_domain = "${DOMAIN}"  on_failure = tempfail }
`,
  );
  const command = [
    ...host.enter,
    process.execPath,
    builtProgram,
    '-c',
    config,
    'run',
    '--role',
    role,
  ];
  const [program = '', ...args] = command;
  const service = startPeer(program, args);
  cleanup.push(() => service.stop());
  await poll(`the ${role} to serve`, () => {
    if (!service.running) throw new Error(`the ${role} ended:\n${service.output()}`);
    return service.output().includes(`${role} on `);
  });
  return service;
}

/** The share of each node in all keys. */
async function sharesOf(nodes: readonly Redis[]): Promise<number[]> {
  const sizes = await Promise.all(nodes.map(async (node) => Number(await node.cli('dbsize'))));
  const all = sizes.reduce((sum, size) => sum + size, 0);
  return sizes.map((size) => size / all);
}

/** How many masters of slots are alive, as a node sees it; without the one that is gone. */
async function mastersSeenBy(node: Redis, gone: Redis): Promise<number> {
  const lines = (await node.cli('cluster', 'nodes')).split('\n');
  return lines.filter(
    (line) => /\bmaster\b/.test(line) && / \d+-\d+$/.test(line) && !line.includes(`:${gone.port}@`),
  ).length;
}
