import { execFile } from 'node:child_process';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { newMessageId } from '../../../src/link/message-id.ts';
import type { RedisStore } from '../../../src/store/redis/store.ts';
import { requireProgram } from '../../helpers/peer-process.ts';
import { poll } from '../../helpers/poll.ts';
import { startRedis } from '../../helpers/redis.ts';
import { settle } from '../../helpers/settle.ts';
import { exampleMessage } from '../../link/example-message.ts';
import { tokenOf } from '../../link/token-of.ts';
import { openStore } from './open-store.ts';

// docs/scaling.md: one Redis becomes the first node of a cluster, with its data.

const LINKS = 30;
const targets = Array.from({ length: LINKS }, (_, n) => `https://shop.example/news/offer-${n}`);

/** Runs `redis-cli --cluster`, and answers its questions with yes. */
async function manage(...args: string[]): Promise<void> {
  const program = requireProgram('redis-cli', 'redis-tools');
  const asked = promisify(execFile)(program, ['--cluster', ...args]);
  asked.child.stdin?.on('error', () => {}).end('yes\n'); // not every command asks
  const { stdout } = await asked;
  if (stdout.includes(' ERR ')) throw new Error(stdout);
}

/** Copies of a newsletter: the later ones share a template. */
async function sendCopies(store: RedisStore, count: number): Promise<string[]> {
  const tokens: string[] = [];
  for (let copy = 0; copy < count; copy++) {
    const issued = store.issuer.issue(
      exampleMessage({ messageId: newMessageId(), recipients: [`someone${copy}@example.org`] }),
    );
    for (const target of targets) tokens.push(tokenOf(issued, { target, part: 'html' }));
    await issued.commit();
  }
  return tokens;
}

test('one Redis becomes a cluster: links sent before go on working, those that share a template too', async () => {
  const first = await startRedis({ args: ['--appendonly', 'yes'] });
  onTestFinished(() => first.stop());
  const alone = openStore({ url: first.url });
  onTestFinished(() => alone.close());
  const tokens = await sendCopies(alone, 20);
  await poll('a template', async () => {
    tokens.push(...(await sendCopies(alone, 20)));
    return (await first.cli('keys', 'clickmilter:s:*')) !== '';
  });
  tokens.push(...(await sendCopies(alone, 20)));
  await settle(alone.counters);
  const keys = Number(await first.cli('dbsize'));

  const cluster = 'cluster-enabled yes\ncluster-node-timeout 2000\n';
  await appendFile(join(first.dir, 'redis.conf'), cluster);
  await first.kill();
  await first.start();
  const at = `127.0.0.1:${first.port}`;
  await manage('fix', at);
  const second = await startRedis({ conf: cluster });
  onTestFinished(() => second.stop());
  await manage('add-node', `127.0.0.1:${second.port}`, at);
  const [from, to] = [await first.cli('cluster', 'myid'), await second.cli('cluster', 'myid')];
  const plan = ['--cluster-from', from, '--cluster-to', to, '--cluster-slots', '3000'];
  await poll('both nodes to see the whole cluster', async () => {
    const infos = await Promise.all([first, second].map((node) => node.cli('cluster', 'info')));
    return infos.every((info) => /cluster_state:ok/.test(info) && /known_nodes:2/.test(info));
  });
  await manage('reshard', at, ...plan, '--cluster-yes');

  const spread = openStore({ url: 'redis://unused', nodes: [`127.0.0.1:${first.port}`] });
  onTestFinished(() => spread.close());
  for (let at = 0; at < tokens.length; at += LINKS) {
    const message = tokens.slice(at, at + LINKS);
    const found = await Promise.all(message.map((token) => spread.resolver.resolve(token)));
    expect(found.map((one) => one?.link.target)).toEqual(targets);
  }
  const moved = Number(await second.cli('dbsize'));
  expect(moved).toBeGreaterThan(0);
  expect(Number(await first.cli('dbsize')) + moved).toBe(keys);
}, 120_000);
