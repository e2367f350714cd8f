import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { examineState } from '../../src/commands/doctor-state.ts';
import { accessProblems, serviceUser } from '../../src/commands/service-user.ts';
import { loadConfig } from '../../src/config/load.ts';
import { complaints } from '../helpers/complaints.ts';
import { configurationOf } from '../helpers/configuration.ts';
import { requireProgram } from '../helpers/peer-process.ts';

const USER = 'nobody';
const GROUP = 'nogroup';

let folder: string;
let file: string;
beforeEach(() => {
  requireProgram('setpriv', 'util-linux');
  folder = mkdtempSync(join(tmpdir(), 'user-'));
  chmodSync(folder, 0o755);
  file = join(folder, 'clickmilter.conf');
  // systemd, as far as it is asked.
  const systemctl = join(folder, 'systemctl');
  const argv = `/usr/bin/clickmilter --config ${file} run --role milter`;
  writeFileSync(systemctl, `#!/bin/sh\necho User=${USER}\necho "ExecStart={ argv[]=${argv} ; }"\n`);
  chmodSync(systemctl, 0o755);
  vi.stubEnv('PATH', `${folder}:${process.env['PATH']}`);
  make('clickmilter.conf', 0o644, 'include "conf.d/own.conf"');
  make('conf.d/own.conf', 0o644, `Web_Listener { token_file = "${join(folder, 'web/token')}" }`);
  make('web/token', 0o644, 'x'.repeat(32));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** Makes a file of root. */
function make(name: string, mode: number, text: string): void {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true, mode: 0o755 });
  writeFileSync(path, text);
  chmodSync(path, mode);
}

async function problems(): Promise<string[]> {
  const { config, ...loaded } = loadConfig(file);
  expect(loaded.problems).toEqual([]);
  if (config === undefined) throw new Error('the configuration has errors');
  const found = await accessProblems({ ...loaded, config }, await serviceUser(file));
  return found.map(({ file: at, line, message }) =>
    `${at}:${line}: ${message}`.replaceAll(`${folder}/`, ''),
  );
}

test.each([
  ['clickmilter.conf', 'clickmilter.conf:1', 'this file'],
  ['conf.d/own.conf', 'conf.d/own.conf:1', 'this file'],
  ['web/token', 'conf.d/own.conf:1', 'web/token'],
])('%s that only root can read, and the command that mends it', async (name, place, what) => {
  expect(await problems()).toEqual([]);
  chmodSync(join(folder, name), 0o600);
  const command = `chgrp ${GROUP} ${name} && chmod u+r,g+r ${name}`;
  expect(await problems()).toEqual([
    `${place}: the service user ${USER} cannot read ${what}: ${command}`,
  ]);
  execFileSync('sh', ['-euc', command], { cwd: folder });
  expect(await problems()).toEqual([]);
});

test('a folder that only root can enter', async () => {
  chmodSync(join(folder, 'web'), 0o700);
  expect(await problems()).toEqual([
    `conf.d/own.conf:1: the service user ${USER} cannot read web/token, since it cannot enter web`,
  ]);
});

test('systemd runs the service with another configuration', async () => {
  expect(await serviceUser(`${file}.new`)).toBeUndefined();
});

test.each([
  ['files', () => {}],
  ['files of mode 0', () => execFileSync('chmod', ['0', join(folder, 'state/keys')])],
  ['the folder', () => execFileSync('chmod', ['700', join(folder, 'state')])],
])('a state of root: %s', async (_, change) => {
  const state = join(folder, 'state');
  make('state/keys', 0o600, `5c 2026-01-01T00:00:00Z ${'A'.repeat(43)}\n`);
  make('state/events/counts', 0o600, '');
  change();
  const config = configurationOf(`state_directory = "${state}"`);
  const examine = async () => complaints(await examineState(config, await serviceUser(file)));
  const said = await examine();
  expect(said).toEqual([
    expect.stringMatching(/^error: the service user nobody cannot use .*: chown -R nobody: /),
  ]);
  execFileSync('sh', ['-euc', said[0]?.replace(/^.*: chown/, 'chown') ?? '']);
  expect(await examine()).toEqual([]);
  // The group of the service may read the keys, and the command against others leaves them to the service.
  execFileSync('sh', ['-euc', `chown root:${GROUP} ${state}/keys; chmod 640 ${state}/keys`]);
  expect(await examine()).toEqual([]);
  execFileSync('chmod', ['644', `${state}/keys`]);
  const [open = ''] = await examine();
  expect(open).toMatch(/^error: .* has mode 644/);
  execFileSync('sh', ['-euc', open.replace(/^.*: chown/, 'chown')]);
  expect(await examine()).toEqual([]);
});

test.each([
  ['that it may not write to', ['lib/keys', 'lib/keys.made'], false],
  ['with keys of root in it', ['lib'], false],
  ['of which it can use its own files', ['lib', 'lib/keys', 'lib/keys.made'], true],
])('the state in a folder of the system %s', async (_, owned, isUsable) => {
  make('lib/keys', 0o600, `5c 2026-01-01T00:00:00Z ${'A'.repeat(43)}\n`);
  make('lib/keys.made', 0o600, '');
  make('lib/dpkg/status', 0o600, '');
  const lib = join(folder, 'lib');
  execFileSync('chown', [`${USER}:`, ...owned], { cwd: folder });
  chmodSync(join(folder, 'lib/dpkg'), 0o700);
  const config = configurationOf(`state_directory = "${lib}"`);
  const said = complaints(await examineState(config, await serviceUser(file)));
  const state = said.filter((one) => one.includes('cannot use'));
  if (isUsable) return expect(state).toEqual([]);
  expect(state).toEqual([
    expect.stringMatching(
      /holds other files too: set state_directory to a folder of the service alone, such as \S*lib\/clickmilter, and move its files there$/,
    ),
  ]);
  expect(said.join('\n')).not.toContain('chown -R');
});

test('keys in a folder of the system: the command changes nothing but them', async () => {
  make('system/keys', 0o600, `5c 2026-01-01T00:00:00Z ${'A'.repeat(43)}\n`);
  make('system/shadow', 0o600, '');
  make('own/events', 0o644, '');
  const [state, keys] = [join(folder, 'own'), join(folder, 'system/keys')];
  execFileSync('chown', ['-R', `${USER}:`, state]);
  const config = configurationOf(`state_directory = "${state}"\nsealed { key_file = "${keys}" }`);
  const examine = async () => complaints(await examineState(config, await serviceUser(file)));
  const command = `chown ${USER}: ${keys} && chmod 600 ${keys}`;
  const said = await examine();
  expect(said).toEqual([`error: the service user ${USER} cannot read ${keys}: ${command}`]);
  execFileSync('sh', ['-euc', command]);
  expect(await examine()).toEqual([]);
});
