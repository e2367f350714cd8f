import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import type { Finding } from '../../src/commands/doctor-finding.ts';
import { poll } from '../helpers/poll.ts';
import { runCli } from '../helpers/run-cli.ts';
import { type Service, startService } from '../helpers/service.ts';

let service: Service;
afterEach(() => service?.stop());

/** What doctor says of the settings in use, addresses and processes left out. */
async function settingsFindings(): Promise<string[]> {
  const { stdout } = await runCli(['--config', service.configFile, 'doctor', '--json']);
  return (JSON.parse(stdout.toString()) as Finding[])
    .filter(({ message }) => /settings|reload|restart/.test(message))
    .filter(({ subject }) => subject === 'service')
    .map(({ level, message }) => `${level} ${message.replace(/^the control listener, \S+,/, '…')}`);
}

function edit(from: string, to: string): void {
  const text = readFileSync(service.configFile, 'utf8');
  expect(text).toContain(from);
  writeFileSync(service.configFile, text.replace(from, to));
}

const IN_USE = ['ok … belongs to a service that uses the settings of the file'];

describe.each([1, 2])('with %d workers', (workers) => {
  test('doctor names settings that are not in use, and what makes them so', async () => {
    service = await startService(
      `workers = ${workers}  redis { password = hunter2 }  pathway "old" { click_tracking_enabled = on }`,
    );
    expect(await settingsFindings()).toEqual(IN_USE);

    edit('click_tracking_enabled = on', 'click_tracking_enabled = off');
    edit('level = debug', 'level = info');
    edit('hunter2', 'hunter3');
    const restart = 'warning takes effect at a restart: redis > password: restart the service';
    const hup = `kill -HUP ${service.pid}`;
    expect(await settingsFindings()).toEqual([
      `warning changed since the last reload: log > level, pathway "old" > click_tracking_enabled: ${hup}`,
      restart,
    ]);

    // The command that it prints makes them so.
    execFileSync('sh', ['-c', hup]);
    await poll('the reload', () => service.output().includes('"reloaded"'));
    expect(service.output()).toContain('"changed":["redis > password"]');
    expect(await settingsFindings()).toEqual([restart]);

    await service.kill();
    await service.start();
    expect(await settingsFindings()).toEqual(IN_USE);
    expect(service.output()).not.toContain('hunter');
  });
});

test('a reload that was refused leaves the settings changed', async () => {
  service = await startService('workers = 2');
  edit('level = debug', 'level = info');
  edit('workers = 2', 'worker = 2');
  service.signal('SIGHUP');
  await poll('the refusal', () => service.output().includes('not reloaded'));
  edit('worker = 2', 'workers = 2');
  expect(await settingsFindings()).toEqual([
    `warning changed since the last reload: log > level: kill -HUP ${service.pid}`,
  ]);
});

test('another configuration, and listeners of roles that the service does not have', async () => {
  service = await startService('', { args: ['--role', 'milter'] });
  edit('HTTP_Listener {', 'HTTP_Listener { request_timeout = 5');
  expect(await settingsFindings()).toEqual(IN_USE);
  edit('Milter_Listener {', 'Milter_Listener { idle_timeout = 5');
  expect(await settingsFindings()).toEqual([
    'warning takes effect at a restart: Milter_Listener > idle_timeout: restart the service',
  ]);

  const other = `${service.configFile}.other`;
  writeFileSync(other, readFileSync(service.configFile));
  const { stdout } = await runCli(['--config', other, 'doctor']);
  expect(stdout.toString()).toContain(
    `a service that runs with ${service.configFile}, not ${other}`,
  );
});
