import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { newSealKey, SealKeys } from '../../src/link/seal-keys.ts';
import type { Context } from '../../src/service/context.ts';
import { exposition, ProcessMetrics } from '../../src/service/metrics.ts';
import { Releasers } from '../../src/service/releasers.ts';
import { serveWeb } from '../../src/service/serve-web.ts';
import { KnownNames } from '../../src/web/known-names.ts';
import { freePort } from '../helpers/free-port.ts';
import { recordedLog } from '../helpers/recorded.ts';

/** Serves the page of a configuration. @param listener what stands in Web_Listener */
async function serve(listener: string) {
  const folder = await mkdtemp(join(tmpdir(), 'clickmilter-web-'));
  const file = join(folder, 'clickmilter.conf');
  writeFileSync(join(folder, 'token'), 'the first token 1'.replaceAll(' ', '-'));
  writeFileSync(file, `Web_Listener { ${listener.replaceAll('DIR', folder)} }`);
  const { config } = loadConfig(file);
  if (config === undefined) throw new Error('the configuration has errors');
  const releasers = new Releasers();
  onTestFinished(async () => {
    await releasers.release(1000);
    await rm(folder, { recursive: true });
  });
  const metrics = new ProcessMetrics('main', '1');
  const links = { keys: { keys: () => new SealKeys([newSealKey([], 0)]) } };
  const log = recordedLog();
  const context = { logger: log.logger, metrics, links, releasers, config: () => config };
  const { reload } = await serveWeb(config.web.listen, context as unknown as Context);
  return {
    folder,
    reload,
    metrics,
    lines: () => log.lines.filter(({ level }) => level !== 'info'),
  };
}

const statusOf = (options: object) =>
  new Promise<number | undefined>((resolve, reject) => {
    const sent = request({ path: '/', ...options }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    });
    sent.on('error', reject).end();
  });

test('serves every address, unix sockets among them', async () => {
  const port = await freePort();
  const { folder } = await serve(`Listen "127.0.0.1:${port}" { } Listen "DIR/web.sock" { }`);
  expect(await statusOf({ port, host: '127.0.0.1' })).toBe(200);
  expect(await statusOf({ socketPath: join(folder, 'web.sock') })).toBe(200);
  const headers = { 'x-forwarded-for': '192.0.2.1' };
  expect(await statusOf({ port, host: '127.0.0.1', headers })).toBe(403);
  expect(await statusOf({ socketPath: join(folder, 'web.sock'), headers })).toBe(403);
});

test('reads the names that filters suggest before anybody asks', { timeout: 20_000 }, async () => {
  const read = vi.spyOn(KnownNames.prototype, 'read');
  onTestFinished(() => read.mockRestore());
  await serve('Listen "DIR/web.sock" { }');
  await expect.poll(() => read.mock.calls.length, { timeout: 15_000 }).toBe(1);
});

test('a reload reads the token again', async () => {
  const port = await freePort();
  const { folder, reload, lines } = await serve(
    `Listen "127.0.0.1:${port}" { } token_file = "token"`,
  );
  const look = (token: string) =>
    statusOf({ port, host: '127.0.0.1', headers: { authorization: `Bearer ${token}` } });
  expect(await look('the-first-token-1')).toBe(200);
  writeFileSync(join(folder, 'token'), 'the-second-token\n');
  expect(await look('the-second-token')).toBe(401);
  reload();
  expect(await look('the-second-token')).toBe(200);
  expect(await look('the-first-token-1')).toBe(401);
  writeFileSync(join(folder, 'token'), 'short');
  expect(lines()).toEqual([]);
  reload();
  expect(lines()).toEqual([
    {
      level: 'error',
      message: 'token_file cannot be used: the old token stays in use',
      reason: expect.stringContaining('expected one line of 16 to 512'),
    },
  ]);
  expect(await look('the-second-token')).toBe(200);
});

test.each(['127.0.0.1', '[::1]'])(
  'is not for other hosts without a token, but for %s',
  async (address) => {
    const port = await freePort();
    await serve(`Listen "${address}:${port}" { }`);
    expect(await statusOf({ port, host: address.replace(/[[\]]/g, '') })).toBe(200);
  },
);

test('connections beyond max_connections are dropped and counted', async () => {
  const port = await freePort();
  const { metrics } = await serve(`Listen "127.0.0.1:${port}" { } max_connections = 1`);
  const counted = async () => {
    const { text } = await exposition([await metrics.snapshot()]);
    return /refused_total\{limit="max_connections",worker="main"\} (\d+)/.exec(text)?.[1];
  };
  expect(await counted()).toBe('0');
  const first = connect(port, '127.0.0.1');
  onTestFinished(() => void first.destroy());
  await once(first, 'connect');
  await expect
    .poll(() => statusOf({ port, host: '127.0.0.1' }).catch(() => 'dropped'))
    .toBe('dropped');
  expect(Number(await counted())).toBeGreaterThan(0);
});
