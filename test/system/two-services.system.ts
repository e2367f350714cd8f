import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { builtProgram } from '../helpers/built-program.ts';
import { follow } from '../helpers/follow.ts';
import { freePort } from '../helpers/free-port.ts';
import { type PeerProcess, startPeer } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';

// Milter and redirect as two services of one configuration, as the package has them.

let folder: string;
let config: string;
let http: number;
let control: number;
const started: PeerProcess[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-two-'));
  await chmod(folder, 0o755);
  await mkdir(join(folder, 'var'));
  config = join(folder, 'clickmilter.conf');
  [http, control] = [await freePort(), await freePort()];
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((service) => service.stop()));
  await rm(folder, { recursive: true });
});

const roles = { milter: ['milter'], redirect: ['redirect', 'events'] } as const;

async function start(kind: keyof typeof roles): Promise<PeerProcess> {
  const args = [builtProgram, '--config', config, 'run', '--role', ...roles[kind]];
  const service = startPeer(process.execPath, args);
  started.push(service);
  await poll(`the ${kind} to serve`, () => {
    if (!service.running) throw new Error(`the ${kind} ended:\n${service.output()}`);
    return service.output().includes(`${kind} on `);
  });
  return service;
}

const kinds = [1, 2].flatMap((workers) =>
  (['TCP', 'unix'] as const).map((kind) => ({ workers, kind })),
);

test.each(kinds)(
  'each starts, works and ends without the other: workers = $workers, $kind sockets',
  async ({ workers, kind }) => {
    const path = join(folder, 'milter.sock');
    const port = await freePort();
    await writeFile(
      config,
      `workers = ${workers}
       state_directory = "${folder}/var"
       log { format = json }
       Milter_Listener { Listen "${kind === 'unix' ? path : `127.0.0.1:${port}`}" { } }
       HTTP_Listener { Listen "127.0.0.1:${http}" { } }
       Control_Listener { Listen "127.0.0.1:${control}" { } }
       ESMTP_Listener { click_tracking_enabled = on }`,
    );
    const connect = () => connectMilter(kind === 'unix' ? { path } : { port });
    const message = Buffer.from('Subject: x\r\n\r\nhttps://example.com/\r\n');
    const mailLeadsToTarget = async () => {
      const client = await connect();
      const sent = await client.send({ message });
      await client.quit();
      const [link = ''] = /http:\/\/\S+/.exec(sent.message.toString()) ?? [];
      return (await follow(http, link)).location;
    };

    const milter = await start('milter');
    const client = await connect();
    const redirect = await start('redirect');
    expect(await mailLeadsToTarget()).toBe('https://example.com/');
    // One address of health and metrics for two: the second does without it.
    expect(milter.output()).not.toContain('health and metrics are not served');
    expect(redirect.output()).toContain('health and metrics are not served');

    await redirect.stop();
    expect((await client.send({ message })).modifications).toHaveLength(1);
    await client.quit();
    const second = await start('redirect');
    expect(await mailLeadsToTarget()).toBe('https://example.com/');

    expect(await milter.stop()).toBe(0);
    expect(existsSync(path)).toBe(false);
    expect((await fetch(`http://127.0.0.1:${http}/nothing`)).status).toBe(404);
    await start('milter');
    expect(await mailLeadsToTarget()).toBe('https://example.com/');
    expect(second.running).toBe(true);
  },
  60_000,
);

test.each([1, 2])(
  "what the other's listeners need and this machine has not is no matter, workers = %d",
  async (workers) => {
    const path = join(folder, 'milter.sock');
    const write = (milter: string, redirect: string) =>
      writeFile(
        config,
        `workers = ${workers}
         state_directory = "${folder}/var"
         Milter_Listener { Listen "${path}" { ${milter} } }
         HTTP_Listener { Listen "127.0.0.1:${http}" { } ${redirect} }
         Control_Listener { enable = off }
         ESMTP_Listener { click_tracking_enabled = on }`,
      );
    await write('', 'tls_certificate = "/nonexistent" tls_key = "/nonexistent"');
    const milter = await start('milter');
    await write('file_group = "no-such"', '');
    await start('redirect');
    const client = await connectMilter({ path });
    await client.quit();
    await milter.stop();

    const failing = startPeer(process.execPath, [
      ...[builtProgram, '--config', config, 'run', '--role', 'milter'],
    ]);
    expect(await failing.exited).toBe(69);
    expect(failing.output()).toContain('file_group');
    expect(failing.output()).not.toContain('tls_certificate');
  },
  60_000,
);
