import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { Configuration } from '../../src/config/configuration.ts';
import { configurationInUse, loadConfig } from '../../src/config/load.ts';
import { changedSettings } from '../../src/config/settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'clickmilter-settings-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'c.conf');

function load(text: string) {
  writeFileSync(file, text);
  const { config, nodes } = loadConfig(file);
  return { config: config ?? expect.fail('not right'), nodes };
}

function change(before: string, after: string) {
  const [first, next] = [load(before), load(after)];
  const inUse = configurationInUse({ file, started: first.nodes, latest: next.nodes });
  return { first: first.config, next: next.config, inUse };
}

const RESTARTS = 'workers = 2  log { file = "/x" }  Milter_Listener { idle_timeout = 5 }';

test.each<[string, string, { reload?: string[]; restart?: string[] }]>([
  ['', '', {}],
  ['workers = 1', 'workers = 2', { restart: ['workers'] }],
  ['log { level = info }', 'log { level = debug }', { reload: ['log > level'] }],
  ['', 'log { detail = none }', { reload: ['log > detail'] }],
  ['log { level = debug file = "/a" }', '', { reload: ['log > level'], restart: ['log > file'] }],
  ['', 'smtpapi { }', { reload: ['smtpapi'] }],
  ['pathway "a" { click_tracking_enabled = on }', '', { reload: ['pathway "a"'] }],
  [
    'ESMTP_Listener { Peer "10.0.0.0/8" { click_tracking_enabled = off } }',
    'ESMTP_Listener { Peer "10.0.0.0/8" { click_tracking_enabled = on } }',
    { reload: ['ESMTP_Listener > Peer "10.0.0.0/8" > click_tracking_enabled'] },
  ],
  [
    '',
    'ESMTP_Listener { Peer "10.0.0.0/8" { click_tracking_enabled = on } }',
    { reload: ['ESMTP_Listener > Peer "10.0.0.0/8"'] },
  ],
  [
    'Milter_Listener { Listen "127.0.0.1:1" { } }',
    'Milter_Listener { Listen "127.0.0.1:2" { } }',
    {
      restart: ['Milter_Listener > Listen "127.0.0.1:1"', 'Milter_Listener > Listen "127.0.0.1:2"'],
    },
  ],
  [
    'HTTP_Listener { Listen "127.0.0.1:1" { } contact = "a@a.example" }',
    'HTTP_Listener { Listen "127.0.0.1:2" { } contact = "b@b.example" }',
    {
      reload: ['HTTP_Listener > contact'],
      restart: ['HTTP_Listener > Listen "127.0.0.1:1"', 'HTTP_Listener > Listen "127.0.0.1:2"'],
    },
  ],
  ['redis { password = a }', 'redis { password = b }', { restart: ['redis > password'] }],
  ['', RESTARTS, { restart: ['Milter_Listener > idle_timeout', 'log > file', 'workers'] }],
])('from %j to %j: %j', (before, after, expected) => {
  const { first, next, inUse } = change(before, after);
  const none = { reload: [], restart: [] };
  expect(changedSettings([first.settings()], next.settings())).toEqual({ ...none, ...expected });
  // After a reload only those that take a restart are left.
  const left = { ...none, ...(expected.restart && { restart: expected.restart }) };
  expect(changedSettings([inUse.settings()], next.settings())).toEqual(left);
  expect(changedSettings([next.settings()], next.settings())).toEqual(none);
  // One process of several that did not follow.
  expect(changedSettings([next.settings(), first.settings()], next.settings())).toEqual({
    ...none,
    ...expected,
  });
});

test('a reload takes over scopes, X-MSYS-API, metadata, and of the log level and detail', () => {
  const { first, next, inUse } = change(
    RESTARTS,
    'log { level = debug detail = full file = "/y" } smtpapi { } pathway "a" { } engagement_tracker { max_metadata_len = 5 }',
  );
  const taken: (keyof Configuration)[] = ['scopes', 'smtpapi', 'engagementTracker'];
  const { level, detail } = next.log;
  const expected: Configuration = {
    ...first,
    ...Object.fromEntries(taken.map((name) => [name, next[name]])),
    log: { ...first.log, level, detail },
    settings: inUse.settings,
  };
  expect(inUse).toEqual(expected);
});

test('the hashes of secrets are too short to guess them by', () => {
  const settings = load('redis { password = "hunter2" }').config.settings();
  expect(settings['redis > password']).toMatch(/^restart [0-9a-f]{4}$/);
});

test('a listener of which a reload takes some options keeps its sockets', () => {
  const { inUse, next } = change(
    'HTTP_Listener { Listen "127.0.0.1:1" { } contact = "a@a.example" }',
    'HTTP_Listener { Listen "127.0.0.1:1" { } contact = "b@b.example" }',
  );
  expect(inUse.http).toEqual(next.http);
});
