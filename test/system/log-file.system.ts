import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../helpers/free-port.ts';
import { startPeer } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';
import { builtProgram } from '../helpers/service.ts';

// What logrotate does: move the file, send SIGHUP, and expect a new one.
test.each([1, 2])('with %d workers the log file is opened anew on SIGHUP', async (workers) => {
  const folder = await mkdtemp(join(tmpdir(), 'clickmilter-log-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'clickmilter.log');
  const config = join(folder, 'clickmilter.conf');
  await writeFile(
    config,
    `Milter_Listener { Listen "127.0.0.1:${await freePort()}" { } }
     HTTP_Listener { Listen "127.0.0.1:${await freePort()}" { } }
     Control_Listener { enable = off }
     workers = ${workers}
     log { file = "${file}" }`,
  );
  const service = startPeer(process.execPath, [builtProgram(), '-c', config, 'run']);
  onTestFinished(async () => void (await service.stop()));
  const log = () => (existsSync(file) ? readFileSync(file, 'utf8') : '');
  await poll('the service to serve', () => log().includes('smtpd_milters'));

  await rename(file, `${file}.1`);
  service.signal('SIGHUP');
  await poll('a new file', () => log().includes('"reloaded"'));
  expect(log()).not.toContain('smtpd_milters');
});
