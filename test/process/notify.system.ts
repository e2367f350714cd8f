import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Notifier } from '../../src/process/notify.ts';
import { type NotifySocket, openNotifySocket } from '../helpers/notify-socket.ts';

let socket: NotifySocket;
let errors: Error[];

beforeEach(async () => {
  socket = await openNotifySocket();
  errors = [];
});
afterEach(async () => {
  await socket.close();
  expect(errors).toEqual([]);
});

function notifier(env: NodeJS.ProcessEnv = {}): Notifier {
  return new Notifier((error) => errors.push(error), {
    ...process.env,
    NOTIFY_SOCKET: socket.path,
    ...env,
  });
}

describe('systemd hears', () => {
  test('the states of a service from start to end', async () => {
    const service = notifier();
    await service.ready('serving');
    await service.status('3 of 4 workers');
    await service.reloading();
    await service.ready('serving');
    await service.stopping('ending');
    await expect
      .poll(() => socket.messages)
      .toEqual([
        { READY: '1', STATUS: 'serving' },
        { STATUS: '3 of 4 workers' },
        { RELOADING: '1', MONOTONIC_USEC: expect.stringMatching(/^\d+$/) },
        { READY: '1', STATUS: 'serving' },
        { STOPPING: '1', STATUS: 'ending' },
      ]);
    const said = Number(socket.messages[2]?.['MONOTONIC_USEC']) / 1e6;
    const uptime = Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
    expect(Math.abs(said - uptime)).toBeLessThan(60); // CLOCK_MONOTONIC: seconds since boot
  });

  test('the watchdog, at half its time, until the service stops', async () => {
    let healthy = true;
    const service = notifier({ WATCHDOG_USEC: '200000', WATCHDOG_PID: String(process.pid) });
    service.startWatchdog(() => healthy);
    const alive = () => socket.messages.filter((message) => message['WATCHDOG'] === '1').length;
    await expect.poll(alive).toBeGreaterThanOrEqual(3);
    healthy = false;
    await service.status('ill'); // behind whatever was still on its way
    await expect.poll(() => socket.messages.at(-1)).toEqual({ STATUS: 'ill' });
    healthy = true;
    await expect.poll(() => socket.messages.at(-1)).toEqual({ WATCHDOG: '1' });
    await service.stopping('ending');
    await expect.poll(() => socket.messages.at(-1)).toEqual({ STOPPING: '1', STATUS: 'ending' });
  });

  test('no watchdog of somebody else', async () => {
    const service = notifier({ WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' });
    service.startWatchdog();
    await service.status('quiet');
    await expect.poll(() => socket.messages).toEqual([{ STATUS: 'quiet' }]);
  });
});
