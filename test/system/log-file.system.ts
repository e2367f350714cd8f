import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { builtProgram } from '../helpers/built-program.ts';
import { freePort } from '../helpers/free-port.ts';
import { startPeer } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';

/** The service with its log in a folder, once it serves. */
async function start(workers: number, format: string, folder: string) {
  const file = join(folder, 'clickmilter.log');
  const config = join(folder, 'clickmilter.conf');
  const http = await freePort();
  await writeFile(
    config,
    `Milter_Listener { Listen "127.0.0.1:${await freePort()}" { } }
     HTTP_Listener { Listen "127.0.0.1:${http}" { } }
     Control_Listener { enable = off }
     workers = ${workers}
     state_directory = "${join(folder, 'state')}"
     log { file = "${file}"  format = ${format} }`,
  );
  const service = startPeer(process.execPath, [builtProgram, '-c', config, 'run']);
  onTestFinished(async () => void (await service.stop()));
  const log = () => (existsSync(file) ? readFileSync(file, 'utf8') : '');
  await poll('the service to serve', () => log().includes('smtpd_milters'));
  return { service, config, file, http, log };
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'clickmilter-log-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

// What logrotate does: move the file, send SIGHUP, and expect a new one.
test.each([
  [1, 'json'],
  [2, 'json'],
  [2, 'pretty'],
])(
  'with %d workers the log file of format %s is opened anew on SIGHUP',
  async (workers, format) => {
    const { service, file, log } = await start(workers, format, await temporaryFolder());
    await rename(file, `${file}.1`);
    service.signal('SIGHUP');
    await poll('a new file', () => log().includes('reloaded'));
    expect(log()).not.toContain('smtpd_milters');
  },
);

test('the log file is opened anew whatever else a reload finds wrong', async () => {
  const { service, config, file, log } = await start(2, 'json', await temporaryFolder());
  await appendFile(config, 'bogus = 1\n');
  await rename(file, `${file}.1`);
  service.signal('SIGHUP');
  await poll('a new file', () => log().includes('not reloaded'));
  const { stdout } = spawnSync('pgrep', ['-P', String(service.pid)], { encoding: 'utf8' });
  const pids = [service.pid, ...stdout.trim().split('\n').map(Number)];
  await poll('nobody to have the old file', () =>
    pids.every((pid) => !openFiles(pid).includes(`${file}.1`)),
  );
});

function openFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return ''; // closed meanwhile
    }
  });
}

test('where the log file cannot be opened anew the old one stays in use', async () => {
  const { service, file } = await start(2, 'json', await temporaryFolder());
  await rename(file, `${file}.1`);
  await mkdir(file);
  service.signal('SIGHUP');
  await poll('the reload in the old file', () =>
    readFileSync(`${file}.1`, 'utf8').includes('"reloaded"'),
  );
  expect(service.output()).toContain(`the log (${file}) cannot be opened again`);
  expect(await service.stop()).toBe(0);
});

test.each([1, 2])(
  'with %d workers a full disk under the log stops nothing, and lines come again when there is room',
  async (workers) => {
    const folder = await temporaryFolder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', folder]);
    onTestFinished(() => void execFileSync('umount', [folder]));
    const { service, http, log } = await start(workers, 'json', folder);
    const filler = join(folder, 'filler');
    const fill = () => writeFile(filler, Buffer.alloc(256 * 1024)).catch(() => {});
    await fill();
    await poll('a line that cannot be written', () => {
      service.signal('SIGHUP');
      return service.output().includes('ENOSPC');
    });
    expect((await fetch(`http://127.0.0.1:${http}/unknown`)).status).toBe(404);
    const full = log();
    await rm(filler);
    await poll('lines again', () => log().length > full.length);
    const then = log();
    service.signal('SIGHUP');
    await poll('more of them', () => log().length > then.length && log().endsWith('\n'));
    for (const line of log().trimEnd().split('\n')) JSON.parse(line);

    await fill();
    service.signal('SIGHUP');
    expect(await service.stop(30_000)).toBe(0);
  },
);
