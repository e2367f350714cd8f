import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkCommand } from '../../src/commands/check.ts';
import { keygenCommand } from '../../src/commands/keygen.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { runCli } from '../helpers/run-cli.ts';
import { runCommand } from '../helpers/run-command.ts';

let redis: Redis;
let folder: string;
let file: string;
beforeAll(async () => {
  redis = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] });
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-check-'));
  file = join(folder, 'c.conf');
});
afterAll(async () => {
  await redis?.stop();
  await rm(folder, { recursive: true });
});

async function check(stanza: string) {
  await writeFile(file, `link_store = redis\n\n${stanza}\n`);
  const { code, stdout } = await runCommand(checkCommand, ['-c', file, 'check']);
  return { code, stdout: stdout.replaceAll(`${folder}/`, '') };
}

test('a Redis that does not keep links is a warning at its stanza', async () => {
  expect(await check(`redis { url = "${redis.url}" }`)).toMatchInlineSnapshot(`
    {
      "code": 0,
      "stdout": "c.conf:3:1: warning: maxmemory-policy is allkeys-lru: when memory is full Redis deletes links that are still in inboxes; noeviction keeps them
    c.conf:3:1: warning: Redis keeps nothing on disk (no appendonly, no save): after a restart every stored link leads nowhere; appendonly yes keeps them
    c.conf: 2 warnings
    ",
    }
  `);
});

test('a Redis that keeps them is none', async () => {
  await redis.cli('config', 'set', 'maxmemory-policy', 'noeviction', 'appendonly', 'yes');
  expect(await check(`redis { url = "${redis.url}" }`)).toEqual({
    code: 0,
    stdout: 'c.conf: no problems\n',
  });
});

test('other hosts with other sealing keys are a warning; without keys here, none is known', async () => {
  const stanza = `redis { url = "${redis.url}" } state_directory = "${folder}/state" events { node_name = mx1 }`;
  await redis.cli('hset', 'clickmilter:keys', 'mx2', `other ${Math.floor(Date.now() / 1000)}`);
  expect((await check(stanza)).stdout).not.toContain('sealing keys');
  expect((await runCommand(keygenCommand, ['-c', file, 'keygen'])).code).toBe(0);
  const { code, stdout } = await check(stanza);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^c\.conf:3:1: warning: other sealing keys on mx2: /m);
});

test('a certificate that cannot be read is named', async () => {
  const { stdout } = await check(`redis { url = "rediss://h"  tls_ca = "/nonexistent/ca.pem" }`);
  expect(stdout).toMatch(/^c\.conf:3:29: .*\/nonexistent\/ca\.pem/);
});

test.each([
  [
    'no such database',
    'url = "URL/99"',
    /ERR DB index is out of range \(it has no such database: /,
  ],
  ['no such database', 'url = "URL" database = 99', /ERR DB index is out of range/],
  ['a wrong password', 'url = "URL" username = "u" password = "S3CRET"', /(ERR AUTH|WRONGPASS)/],
])('%s is an error: %s', async (_, options, expected) => {
  const { code, stdout } = await check(`redis { ${options.replace('URL', redis.url)} }`);
  expect(code).toBe(78);
  expect(stdout).toMatch(expected);
  expect(stdout).not.toContain('S3CRET');
});

test('one that is away is nothing that the configuration could help', async () => {
  await redis.kill();
  const { code, stdout } = await check(`redis { url = "${redis.url}" command_timeout = 1 }`);
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'c.conf: no problems\n' });
});

test('the program ends with the exit code of the command', async () => {
  await writeFile(file, 'link_store = disk\n');
  const { code, stdout } = await runCli(['-c', file, 'check']);
  expect(code).toBe(78);
  expect(stdout.toString()).toContain(':1:14: link_store must be');
});
