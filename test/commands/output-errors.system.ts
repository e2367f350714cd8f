import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../helpers/free-port.ts';

const cli = join(import.meta.dirname, '../../src/cli.ts');
const FULL = 'clickmilter: cannot write the output: ENOSPC: no space left on device, write\n';
let folder: string;
let config: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'clickmilter-output-'));
  config = join(folder, 'clickmilter.conf');
  writeFileSync(
    config,
    `state_directory = "${folder}/state"
     Milter_Listener { Listen "127.0.0.1:${await freePort()}" { } }
     HTTP_Listener { Listen "127.0.0.1:${await freePort()}" { } }
     Control_Listener { Listen "127.0.0.1:${await freePort()}" { } }
     ESMTP_Listener { click_tracking_enabled = on  tracking_domain = "localhost:1" }`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What a command says whose output goes to somebody who does not read it, or to a full disk. */
async function run(to: 'nobody' | 'a full disk', ...args: string[]) {
  const full = to === 'a full disk' ? await open('/dev/full', 'w') : undefined;
  const child = spawn(process.execPath, ['--import', 'tsx', cli, '--config', config, ...args], {
    stdio: ['pipe', full?.fd ?? 'pipe', 'pipe'],
  });
  child.stdout?.destroy();
  child.stdin?.end('Subject: hello\n\nhello\n');
  const ended = new Promise((resolve) => child.once('close', resolve));
  const errors = child.stderr === null ? '' : await text(child.stderr);
  const code = await ended;
  await full?.close();
  return { code, errors };
}

test.each([
  ['check', [], 0, ''],
  ['config', ['show'], 0, ''],
  ['events', [], 0, ''],
  ['rewrite', ['--listen', '192.0.2.1:587'], 0, 'clickmilter: untouched: no-links\n'],
  ['doctor', [], 69, ''], // the service does not run
  ['--help', [], 0, ''],
])('%s for nobody who reads, and on a full disk', async (command, args, code, errors) => {
  expect(await run('nobody', command, ...args)).toEqual({ code, errors });
  if (command === 'events') return; // there are none to be written
  const said = await run('a full disk', command, ...args);
  expect(said.code).toBe(69);
  expect(said.errors.replace(errors, '')).toBe(FULL);
});
