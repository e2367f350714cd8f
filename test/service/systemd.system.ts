import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Notifier } from '../../src/service/systemd.ts';
import { type NotifySocket, openNotifySocket } from '../helpers/notify-socket.ts';
import { recordedLog } from '../helpers/recorded.ts';

let socket: NotifySocket;
let log: ReturnType<typeof recordedLog>;

beforeEach(async () => {
  socket = await openNotifySocket();
  log = recordedLog();
});
afterEach(async () => {
  await socket.close();
  expect(log.lines).toEqual([]);
});

function notifier(env: NodeJS.ProcessEnv = {}): Notifier {
  return new Notifier(log.logger, {
    ...process.env,
    NOTIFY_SOCKET: socket.path,
    ...env,
  });
}

describe('systemd hears', () => {
  test('the states of a service from start to end', async () => {
    const service = notifier();
    await service.ready('serving');
    await service.reloading();
    await service.ready('serving');
    await service.stopping('ending');
    await expect
      .poll(() => socket.messages)
      .toEqual([
        { READY: '1', STATUS: 'serving' },
        { RELOADING: '1', MONOTONIC_USEC: expect.stringMatching(/^\d+$/) },
        { READY: '1', STATUS: 'serving' },
        { STOPPING: '1', STATUS: 'ending' },
      ]);
    const said = Number(socket.messages[1]?.['MONOTONIC_USEC']) / 1e6;
    const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
    expect(Math.abs(said - uptime)).toBeLessThan(60); // CLOCK_MONOTONIC: seconds since boot
  });

  test('the watchdog, at half its time, also while the service stops', async () => {
    const service = notifier({ WATCHDOG_USEC: '200000', WATCHDOG_PID: String(process.pid) });
    service.startWatchdog();
    const alive = () => socket.messages.filter((message) => message['WATCHDOG'] === '1').length;
    await expect.poll(alive).toBeGreaterThanOrEqual(3);
    await service.stopping('ending');
    const before = alive();
    await expect.poll(alive).toBeGreaterThan(before);
  });

  test('no watchdog of somebody else', async () => {
    const service = notifier({ WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' });
    service.startWatchdog();
    await service.ready('quiet');
    await expect.poll(() => socket.messages).toEqual([{ READY: '1', STATUS: 'quiet' }]);
  });
});
