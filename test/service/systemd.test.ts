import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inheritedSockets, Notifier } from '../../src/service/systemd.ts';
import { recordedLog } from '../helpers/recorded.ts';

let folder: string;
let log: ReturnType<typeof recordedLog>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'notify-'));
  log = recordedLog();
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('Notifier', () => {
  test('says nothing, and runs nothing, where nobody listens', async () => {
    const notifier = new Notifier(log.logger, { PATH: folder, WATCHDOG_USEC: '1000' });
    notifier.startWatchdog();
    await notifier.ready('serving');
    await notifier.stopping('ending');
    expect(log.lines).toEqual([]);
  });

  test('a message that cannot be sent fails nobody', async () => {
    const notifier = new Notifier(log.logger, {
      PATH: folder,
      NOTIFY_SOCKET: join(folder, 'none'),
    });
    await notifier.ready('serving');
    expect(log.lines).toEqual([
      {
        level: 'warn',
        message: 'sd_notify failed',
        assignment: 'READY=1',
        reason: 'spawn systemd-notify ENOENT',
      },
    ]);
  });

  test('messages keep their order, and a line break cannot smuggle in an assignment', async () => {
    const file = join(folder, 'log');
    const fake = join(folder, 'systemd-notify');
    writeFileSync(
      fake,
      `#!/bin/sh\ncase $1 in RELOADING*) /bin/sleep 0.2;; esac; echo "$@" >> ${file}\n`,
    );
    chmodSync(fake, 0o755);
    const notifier = new Notifier(log.logger, {
      PATH: folder,
      NOTIFY_SOCKET: join(folder, 'none'),
    });
    void notifier.reloading();
    await notifier.ready('two\nREADY=0');
    const { readFileSync } = await import('node:fs');
    expect(readFileSync(file, 'utf8')).toMatch(
      /^RELOADING=1 MONOTONIC_USEC=\d+\nREADY=1 STATUS=two READY=0\n$/,
    );
  });
});

describe('inheritedSockets', () => {
  test.each([
    ['nothing', {}, {}],
    ['for another process', { LISTEN_FDS: '1', LISTEN_PID: '43', LISTEN_FDNAMES: 'milter' }, {}],
    ['none', { LISTEN_FDS: '0', LISTEN_PID: '42' }, {}],
    ['one', { LISTEN_FDS: '1', LISTEN_PID: '42', LISTEN_FDNAMES: 'milter' }, { milter: [3] }],
    [
      'several, two of one name',
      { LISTEN_FDS: '3', LISTEN_PID: '42', LISTEN_FDNAMES: 'milter:redirect:milter' },
      { milter: [3, 5], redirect: [4] },
    ],
    ['without names', { LISTEN_FDS: '2', LISTEN_PID: '42' }, { unknown: [3, 4] }],
  ])('%s', (_, env, expected) => {
    expect(Object.fromEntries(inheritedSockets(env, 42))).toEqual(expected);
  });

  test('a contradiction is an error', () => {
    expect(() =>
      inheritedSockets({ LISTEN_FDS: 'two', LISTEN_PID: '42' }, 42),
    ).toThrowErrorMatchingInlineSnapshot(
      `[Error: LISTEN_FDS is "two", expected a number of sockets]`,
    );
    expect(() =>
      inheritedSockets({ LISTEN_FDS: '2', LISTEN_PID: '42', LISTEN_FDNAMES: 'milter' }, 42),
    ).toThrowErrorMatchingInlineSnapshot(`[Error: LISTEN_FDNAMES holds 1 names for 2 sockets]`);
  });
});
