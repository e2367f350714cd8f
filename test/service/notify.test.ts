import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Notifier } from '../../src/service/notify.ts';

let folder: string;
let errors: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'notify-'));
  errors = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const hear = (error: Error) => errors.push(error.message);

describe('Notifier', () => {
  test('says nothing, and runs nothing, where nobody listens', async () => {
    const notifier = new Notifier(hear, { PATH: folder, WATCHDOG_USEC: '1000' });
    notifier.startWatchdog();
    await notifier.ready('serving');
    await notifier.stopping('ending');
    expect(errors).toEqual([]);
  });

  test('a message that cannot be sent fails nobody', async () => {
    const notifier = new Notifier(hear, { PATH: folder, NOTIFY_SOCKET: join(folder, 'none') });
    await notifier.ready('serving');
    expect(errors).toEqual(['systemd-notify READY=1: spawn systemd-notify ENOENT']);
  });

  test('messages keep their order, and a line break cannot smuggle in an assignment', async () => {
    const log = join(folder, 'log');
    const fake = join(folder, 'systemd-notify');
    writeFileSync(
      fake,
      `#!/bin/sh\ncase $1 in RELOADING*) /bin/sleep 0.2;; esac; echo "$@" >> ${log}\n`,
    );
    chmodSync(fake, 0o755);
    const notifier = new Notifier(hear, { PATH: folder, NOTIFY_SOCKET: join(folder, 'none') });
    void notifier.reloading();
    await notifier.ready('two\nREADY=0');
    const { readFileSync } = await import('node:fs');
    expect(readFileSync(log, 'utf8')).toMatch(
      /^RELOADING=1 MONOTONIC_USEC=\d+\nREADY=1 STATUS=two READY=0\n$/,
    );
  });
});
