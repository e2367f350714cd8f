import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { runCli } from '../helpers/run-cli.ts';
import { type Service, startService } from '../helpers/service.ts';

// The socket of the milter as an operator asks for it, in one process and in several.

let folder: string;
let path: string;
let service: Service | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-socket-'));
  path = join(folder, 'milter.sock');
});
afterEach(async () => {
  await service?.stop();
  service = undefined;
  await rm(folder, { recursive: true });
});

const numberOf = (kind: '-u' | '-g', user: string) =>
  Number(execFileSync('id', [kind, user], { encoding: 'utf8' }));

async function isServed(): Promise<boolean> {
  const client = await connectMilter({ path });
  const { answer } = await client.send({ message: Buffer.from('Subject: x\r\n\r\nx\r\n') });
  await client.quit();
  return answer === 'accept';
}

describe.each([1, 2])('with workers = %d', (workers) => {
  const start = async (): Promise<Service> => {
    const socket = `Listen "${path}" { File_Mode = 0620  File_Owner = daemon  File_Group = postfix }`;
    service = await startService(`workers = ${workers}\nMilter_Listener { ${socket} }`, {
      milter: path,
    });
    return service;
  };

  test('it has its mode, owner and group, and is gone after the end', async () => {
    const running = await start();
    const { mode, uid, gid } = statSync(path);
    expect({ mode: (mode & 0o777).toString(8), uid, gid }).toEqual({
      mode: '620',
      uid: numberOf('-u', 'daemon'),
      gid: numberOf('-g', 'postfix'),
    });
    expect(await isServed()).toBe(true);
    await running.stop();
    expect(existsSync(path)).toBe(false);
  });

  test('what a killed service left behind is replaced, and a living one is not stolen', async () => {
    const running = await start();
    await running.kill();
    await running.start();
    expect(await isServed()).toBe(true);
    const second = await runCli(['-c', running.configFile, 'run', '--role', 'milter']);
    expect(second.code).toBe(69);
    expect(second.stderr).toContain(`${path}: another process listens there`);
    expect(await isServed()).toBe(true);
  });
});
