import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectMilter, type MilterClient } from '../../src/milter/client.ts';
import { type ComposeService, composeServices } from '../helpers/compose.ts';
import { freePort } from '../helpers/free-port.ts';
import { type PeerProcess, requireProgram, startPeer } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';

// The image, unpacked and run as compose.yaml says by a runtime for containers.
const checkout = join(import.meta.dirname, '../..');
const examples = join(checkout, 'conf/examples-container');
const services = composeServices(examples, ['compose.yaml']);
const ours = ['clickmilter-milter', 'clickmilter-redirect'] as const;
type Ours = (typeof ours)[number];

function serviceOf(name: Ours): ComposeService {
  const service = services[name];
  if (service === undefined) throw new Error(`compose.yaml has no ${name}`);
  return service;
}
const USER = 65532;
const TARGET = 'https://example.net/a?b=c';

let folder: string;
let rootfs: string;
let spec: Spec;

/** What of a bundle's config.json is of interest here. */
interface Spec {
  hostname: string;
  root: { path: string; readonly: boolean };
  process: {
    args: string[];
    env: string[];
    user: object;
    terminal: boolean;
    capabilities: object;
    noNewPrivileges: boolean;
    rlimits: object[];
  };
  mounts: { destination: string; type?: string; source?: string; options?: string[] }[];
  linux: { namespaces: { type: string }[] };
}

function run(program: string, args: readonly string[]): string {
  return execFileSync(program, args, { cwd: folder, encoding: 'utf8' });
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'image-'));
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;

  execFileSync('npm', ['run', '--silent', 'image', '--', folder, architecture], { cwd: checkout });
  const [archive = ''] = readdirSync(folder);
  mkdirSync(join(folder, 'layout'));
  run('tar', ['-C', join(folder, 'layout'), '-xf', archive]);
  const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'));
  const umoci = requireProgram('umoci', 'umoci');
  run(umoci, ['unpack', '--image', `layout:${version}`, 'bundle']);
  rootfs = join(folder, 'bundle/rootfs');
  spec = JSON.parse(readFileSync(join(folder, 'bundle/config.json'), 'utf8'));
  for (const name of ours) expect(serviceOf(name).image).toBe(`clickmilter:${version}`);
}, 480_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the image', () => {
  test('is one for `docker load` as well', () => {
    const layout = join(folder, 'layout');
    const [image] = JSON.parse(readFileSync(join(layout, 'manifest.json'), 'utf8'));
    for (const path of [image.Config, ...image.Layers]) {
      expect(run('sha256sum', [join(layout, path)]).split(' ')[0]).toBe(path.split('/').at(-1));
    }
  });

  test('has a user of its own, Node.js, its libraries and the program, and no shell', () => {
    expect(spec.process).toMatchObject({
      args: ['/usr/bin/clickmilter', 'run'],
      user: { uid: USER, gid: USER },
    });
    expect(readdirSync(join(rootfs, 'usr/bin'))).toEqual(['clickmilter', 'node']);
    expect(readdirSync(rootfs).sort()).toEqual(
      ['dev', 'etc', 'lib', 'lib64', 'proc', 'sys', 'tmp', 'usr', 'var'].sort(),
    );
    const { uid, mode } = statSync(join(rootfs, 'var/lib/clickmilter'));
    expect([uid, mode & 0o777]).toEqual([USER, 0o700]);
    const others = run('find', [rootfs, '-perm', '/022', '!', '-type', 'l', '!', '-name', 'tmp']);
    expect(others).toBe('');
  });
});

describe('the containers of compose.yaml', () => {
  let redis: Redis;
  let state: string;
  const ports = { 8893: 0, 8080: 0, 8894: 0, 8895: 0 };
  const running = new Map<Ours, PeerProcess>();

  /** The text with the ports of this test: the containers share the network of this host. */
  const here = (text: string, control: 8894 | 8895) =>
    text
      .replaceAll(/0\.0\.0\.0:(8893|8080)/g, (_, port: 8893 | 8080) => `127.0.0.1:${ports[port]}`)
      .replaceAll(/(0\.0\.0\.0|127\.0\.0\.1):8894/g, `127.0.0.1:${ports[control]}`)
      .replace('redis://redis:6379', redis.url);
  const nameOf = (service: Ours) => `${service}-${process.pid}`;
  const runc = (...args: string[]) => [`--root=${join(folder, 'runc')}`, ...args];
  const controlOf = (service: Ours) => (service === 'clickmilter-milter' ? 8894 : 8895);

  function start(service: Ours): PeerProcess {
    const { command, hostname, read_only, cap_drop, security_opt, volumes } = serviceOf(service);
    expect([read_only, cap_drop, security_opt]).toEqual([
      true,
      ['ALL'],
      ['no-new-privileges:true'],
    ]);
    expect(volumes.map((volume) => volume.split(':').slice(-2).join(':'))).toEqual([
      '/etc/clickmilter/clickmilter.conf:ro',
      '/var/lib/clickmilter:rw',
    ]);
    const bundle = join(folder, service);
    mkdirSync(bundle, { recursive: true });
    const file = join(bundle, 'clickmilter.conf');
    const shipped = readFileSync(join(examples, 'clickmilter.conf'), 'utf8');
    writeFileSync(file, here(shipped, controlOf(service)));
    const own: Spec = {
      ...spec,
      hostname,
      root: { path: rootfs, readonly: true },
      process: {
        ...spec.process,
        args: ['/usr/bin/clickmilter', ...command],
        terminal: false,
        capabilities: {},
        noNewPrivileges: true,
        rlimits: [],
      },
      mounts: [
        ...spec.mounts.filter(({ destination }) => destination !== '/var/lib/clickmilter'),
        {
          destination: '/etc/clickmilter/clickmilter.conf',
          source: file,
          type: 'bind',
          options: ['bind', 'ro'],
        },
        { destination: '/var/lib/clickmilter', source: state, type: 'bind', options: ['bind'] },
      ],
      linux: {
        ...spec.linux,
        namespaces: spec.linux.namespaces.filter(({ type }) => type !== 'network'),
      },
    };
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(own));
    const args = runc('run', '--bundle', bundle, nameOf(service));
    const peer = startPeer(requireProgram('runc', 'runc'), args);
    running.set(service, peer);
    return peer;
  }

  /** Runs a program in a container. */
  function exec(service: Ours, ...args: string[]) {
    const all = runc('exec', nameOf(service), ...args);
    const { status, stdout, stderr } = spawnSync('runc', all, { encoding: 'utf8' });
    return { status, text: stdout + stderr };
  }

  const health = (service: Ours) => {
    const [kind, ...check] = serviceOf(service).healthcheck.test;
    expect(kind).toBe('CMD');
    return exec(service, ...check.map((word) => here(word, controlOf(service)))).status;
  };

  async function trackedLink(client: MilterClient): Promise<URL> {
    const message = Buffer.from(`Content-Type: text/plain\r\n\r\n${TARGET}\r\n`);
    const result = await client.send({ sender: 'a@example.com', message });
    return new URL(/https:\S+/.exec(result.message.toString())?.[0] ?? '');
  }

  beforeAll(async () => {
    redis = await startRedis();
    for (const port of [8893, 8080, 8894, 8895] as const) ports[port] = await freePort();
    state = join(folder, 'state');
    mkdirSync(state);
    chmodSync(state, 0o700);
    chownSync(state, USER, USER);
    for (const service of ours) {
      const peer = start(service);
      await poll(`${service} to be healthy`, () => {
        if (!peer.running) throw new Error(peer.output());
        return health(service) === 0;
      });
    }
  }, 120_000);
  afterAll(async () => {
    for (const [service, peer] of running) {
      spawnSync('runc', runc('delete', '--force', nameOf(service)));
      await peer.stop();
    }
    await redis?.stop();
  });

  test('track a message, redirect its reader, and keep the click', async () => {
    const client = await connectMilter({ port: ports[8893] });
    const link = await trackedLink(client);
    await client.quit();
    expect(link.host).toBe('click.example.com');
    const status = run('curl', [
      ...[
        '-s',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code} %{redirect_url}',
        '-H',
        `Host: ${link.host}`,
      ],
      `http://127.0.0.1:${ports[8080]}${link.pathname}`,
    ]);
    expect(status).toBe(`302 ${TARGET}`);
    const events = await poll('the click', () => {
      const { text } = exec('clickmilter-redirect', 'clickmilter', 'events');
      return text.includes('"click"') ? text : undefined;
    });
    expect(events).toContain(`"target_link_url":"${TARGET}"`);
  });

  test('have the commands of clickmilter', () => {
    const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'));
    const asked = exec('clickmilter-redirect', 'clickmilter', '--version');
    expect(asked).toEqual({ status: 0, text: expect.stringContaining(version) });
    const wrong = exec('clickmilter-redirect', 'clickmilter', '--no-such-option');
    expect(wrong.status).toBe(64);
    const checked = exec('clickmilter-milter', 'clickmilter', 'check');
    expect(checked.status).toBe(0);
  });

  test('are not root, and can write to the state folder only', () => {
    const script = `const { writeFileSync } = require('node:fs');
const tries = ['/x', '/etc/x', '/tmp/x', '/usr/lib/clickmilter/x', '/var/lib/clickmilter/x'].map((path) => {
  try { writeFileSync(path, ''); return 'written'; } catch ({ code }) { return code; }
});
console.log(process.getuid(), ...tries);`;
    const { text } = exec('clickmilter-milter', 'node', '-e', script);
    expect(text).toBe(`${USER} EROFS EROFS EROFS EROFS written\n`);
    rmSync(join(state, 'x'));
  });

  test('log JSON lines to the standard output', () => {
    for (const peer of running.values()) {
      const lines = peer.stdout().trim().split('\n');
      expect(lines.map((line) => typeof JSON.parse(line).msg)).toEqual(lines.map(() => 'string'));
    }
  });

  test('finish the message under way on SIGTERM', async () => {
    const client = await connectMilter({ port: ports[8893] });
    await trackedLink(client);
    run('runc', runc('kill', nameOf('clickmilter-milter'), 'TERM'));
    const peer = running.get('clickmilter-milter');
    await poll('the milter to stop', () => peer?.output().includes('stopping'));
    expect((await trackedLink(client)).host).toBe('click.example.com');
    await client.quit();
    expect(await peer?.exited).toBe(0);
  });

  test('are not healthy while Redis is away', async () => {
    await redis.stop();
    await poll('the redirect to be unhealthy', () => health('clickmilter-redirect') === 1);
  });
});
