import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { builtProgram } from '../helpers/built-program.ts';
import { freePort } from '../helpers/free-port.ts';
import { startPeer } from '../helpers/peer-process.ts';
import { type Activated, activate } from '../helpers/socket-activation.ts';

const SCOPE = 'ESMTP_Listener { click_tracking_enabled = on }';
let folder: string;
let config: string;
let path: string;
let http: number;
let control: number;
let service: Activated | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'systemd-'));
  config = join(folder, 'clickmilter.conf');
  path = join(folder, 'milter.sock');
  http = await freePort();
  control = await freePort();
});
afterEach(async () => {
  await service?.close();
  service = undefined;
  rmSync(folder, { recursive: true });
});

async function start(
  settings: string,
  env: Record<string, string> = {},
  redirect = 'redirect',
): Promise<Activated> {
  writeFileSync(config, `state_directory = "${folder}/var"\n${settings}\n`);
  const command = [process.execPath, builtProgram, '--config', config, 'run'];
  service = await activate({ milter: path, [redirect]: http, control }, command, env);
  return service;
}

const states = ({ notified }: Activated) =>
  notified.flatMap((message) =>
    Object.keys(message).filter((name) => /READY|RELOADING|STOPPING/.test(name)),
  );

describe.each([1, 2])('with %d workers', (workers) => {
  test('serves the sockets of systemd, and tells it of start, reload and end', async () => {
    const service = await start(`${SCOPE}\nworkers = ${workers}`);
    // Who connects before the start waits in the backlog, and is served.
    const early = connectMilter({ path });
    await service.start();
    expect(states(service)).toEqual(['READY']);
    const milter = await early;
    expect(milter.agreed.version).toBe(6);
    await milter.quit();
    expect((await fetch(`http://127.0.0.1:${http}/nonsense`)).status).toBe(404);
    expect(await (await fetch(`http://127.0.0.1:${control}/readyz`)).text()).toBe('ready\n');
    const metrics = await (await fetch(`http://127.0.0.1:${control}/metrics`)).text();
    expect(metrics).toMatch(/clickmilter_redirects_total\{status="404",worker="(main|[12])"\} 1/);

    service.signal('SIGHUP');
    await expect.poll(() => states(service)).toEqual(['READY', 'RELOADING', 'READY']);

    service.signal('SIGTERM');
    expect(await service.ended()).toBe(0);
    expect(states(service)).toEqual(['READY', 'RELOADING', 'READY', 'STOPPING']);
  });
});

test('when no worker is left, it ends and is given its sockets anew', async () => {
  const service = await start(`${SCOPE}\nworkers = 2`);
  await service.start();
  execFileSync('pkill', ['-KILL', '-P', String(service.pid)]);
  expect(await service.ended()).toBe(1 << 8);
  await service.start();
  const milter = await connectMilter({ path });
  await milter.quit();
});

test('the watchdog is fed', async () => {
  const service = await start(SCOPE, { WATCHDOG_USEC: '1000000' });
  await service.start();
  await expect
    .poll(() => service.notified.filter(({ WATCHDOG }) => WATCHDOG === '1').length)
    .toBeGreaterThanOrEqual(2);
});

test.each([1, 2])('an address that is taken ends a start with %d workers', async (workers) => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as net.AddressInfo;
  writeFileSync(
    config,
    `state_directory = "${folder}/var"
     workers = ${workers}
     Milter_Listener { Listen "127.0.0.1:${port}" { } }
     HTTP_Listener { enable = off }
     Control_Listener { enable = off }\n${SCOPE}\n`,
  );
  const service = startPeer(process.execPath, [builtProgram, '--config', config, 'run']);
  expect(await service.exited).toBe(69);
  expect(service.output()).toMatch(
    new RegExp(`^clickmilter: .*EADDRINUSE.*127.0.0.1:${port}$`, 'm'),
  );
  expect(service.output()).not.toMatch(/^ +at .*dist/m);
  taken.close();
});

test('a socket by a name that nobody knows is an error in the log', async () => {
  const settings = 'HTTP_Listener { enable = off }';
  const service = await start(settings, {}, 'clickmilter-redirect.socket');
  await service.start();
  const said = () =>
    service
      .output()
      .split('\n')
      .find((line) => line.includes('FileDescriptorName'));
  await expect.poll(said).toBeDefined();
  expect(JSON.parse(said() ?? '{}')).toMatchObject({
    level: 50,
    descriptor: 4,
    name: 'clickmilter-redirect.socket',
    msg: 'ignoring inherited socket: FileDescriptorName must be one of milter, redirect, web, control',
  });
});

test.each([
  [
    'nothing is enabled that the role could serve',
    { settings: 'Milter_Listener { enable = off }', args: ['--role', 'milter'] },
    { code: 78, said: /^clickmilter: .*clickmilter.conf: nothing is enabled .* --role milter/m },
  ],
  [
    'nothing is enabled, and no webhook has to be served',
    { settings: 'HTTP_Listener { enable = off }', args: ['--role', 'redirect', 'events'] },
    { code: 78, said: /^clickmilter: .*clickmilter.conf: nothing is enabled/m },
  ],
  [
    'a certificate that cannot be read is said with its place',
    {
      settings: 'HTTP_Listener { tls_certificate = "/nonexistent" tls_key = "/nonexistent" }',
      args: ['--role', 'redirect'],
    },
    {
      code: 69,
      said: /clickmilter.conf:3:17: .*tls_certificate.*^clickmilter: tls_certificate: /ms,
    },
  ],
  [
    'a group that is not there is said with its place',
    {
      settings:
        'Milter_Listener { Listen "/tmp/clickmilter-no-group.sock" { file_group = no-such } }',
      args: ['--role', 'milter'],
    },
    { code: 69, said: /clickmilter.conf:3:61: .*file_group.*^clickmilter: .*no group "no-such"/ms },
  ],
])('a start that fails: %s', async (_, { settings, args }, { code, said }) => {
  writeFileSync(
    config,
    `state_directory = "${folder}/var"\nControl_Listener { enable = off }\n${settings}\n`,
  );
  const command = [builtProgram, '--config', config, 'run', ...args];
  const service = startPeer(process.execPath, command);
  expect(await service.exited).toBe(code);
  expect(service.output()).toMatch(said);
});

test('a configuration with errors ends with 78, which is not tried again', async () => {
  const service = await start('worker = 2');
  await expect(service.start()).rejects.toThrow(/worker/);
  expect(await service.ended()).toBe(78 << 8);
});
