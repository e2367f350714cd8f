import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { examinePage } from '../../src/commands/doctor-page.ts';
import { configurationOf } from '../helpers/configuration.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'doctor-page-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const found = async (text: string) =>
  (await examinePage(configurationOf(text))).map(({ level, message }) => `${level} ${message}`);

test.each([
  ['', ['ok it is off, and nobody can look']],
  ['Web_Listener { enable = off }', ['ok it is off, and nobody can look']],
  ['Web_Listener { }', ['ok 127.0.0.1:8896: every user of this host could look']],
  [
    'Web_Listener { Listen "[::1]:8896" { } Listen "/run/x/web.sock" { } }',
    [
      'ok [::1]:8896: every user of this host could look',
      'ok /run/x/web.sock: every user who may connect to it could look, and change links',
    ],
  ],
])('%s', async (text, expected) => expect(await found(text)).toEqual(expected));

test.each([
  [0o600, 'ok'],
  [0o640, 'warning'],
  [0o644, 'error'],
])('a token file of mode %o is %s', async (mode, level) => {
  const file = join(folder, `token-${mode}`);
  writeFileSync(file, '0123456789abcdef');
  chmodSync(file, mode);
  const [first = '', second = 'ok'] = await found(
    `Web_Listener { Listen "0.0.0.0:8896" { } token_file = "${file}" }`,
  );
  expect(first).toBe(
    'ok 0.0.0.0:8896: those on other hosts who have the token of token_file could look, and change links',
  );
  expect(second.split(' ')[0]).toBe(level);
  if (level !== 'ok') expect(second).toContain(`chmod 600 ${file}`);
});

test('a token file that is missing', async () => {
  const [, second] = await found(`Web_Listener { token_file = "${folder}/none" }`);
  expect(second).toMatch(/^error ENOENT: .*none/);
});

test.each([
  [
    '0.0.0.0:8896',
    'active',
    'enabled',
    ['error 0.0.0.0:8896: other hosts reach it: set token_file'],
  ],
  ['[::]:8896', 'active', 'enabled', ['error [::]:8896: other hosts reach it: set token_file']],
  ['[::1]:8000', 'active', 'disabled', ['ok [::1]:8000: every user of this host could look']],
  [
    '/run/x/web.sock',
    'active',
    'enabled',
    ['ok /run/x/web.sock: every user who may connect to it could look, and change links'],
  ],
  [
    '127.0.0.1:8000',
    'failed',
    'enabled',
    [
      'ok 127.0.0.1:8000: every user of this host could look',
      'warning clickmilter-web.socket is not active, so nobody can look now: systemctl status clickmilter-web.service',
    ],
  ],
  [
    '0.0.0.0:8896',
    'inactive',
    'disabled',
    [
      'ok 127.0.0.1:8896: every user of this host could look',
      'warning clickmilter-web.socket is not enabled, so nobody can look where systemd starts the page: systemctl enable --now clickmilter-web.socket',
    ],
  ],
])('a socket of systemd at %s, %s and %s', async (address, active, file, expected) => {
  const shown = `Listen=${address} (Stream)\nActiveState=${active}\nUnitFileState=${file}`;
  writeFileSync(join(folder, 'systemctl'), `#!/bin/sh\necho '${shown}'\n`, { mode: 0o755 });
  vi.stubEnv('PATH', `${folder}:${process.env['PATH']}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(await found('Web_Listener { }')).toEqual(expected);
});
