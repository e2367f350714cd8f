import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const script = join(import.meta.dirname, '../../systemd/ended.sh');
const SERVICE = 'clickmilter-milter.service';
const SOCKETS = 'clickmilter-milter.socket clickmilter-milter-control.socket';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ended-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A program that notes its arguments. */
function fake(name: string, text = ''): void {
  const file = join(folder, name);
  writeFileSync(file, `#!/bin/sh\necho "${name} $*" >>'${folder}/calls'\n${text}`);
  chmodSync(file, 0o755);
}

/** What the script does on a system whose systemctl knows the options of systemd 239 only. */
async function ended(env: NodeJS.ProcessEnv): Promise<{ calls: string[]; said: string }> {
  writeFileSync(join(folder, 'calls'), '');
  fake('sleep');
  fake(
    'systemctl',
    `case "$*" in
      stop\\ *) ;;
      "show --property=TriggeredBy --value ${SERVICE}") echo "${SOCKETS}" ;;
      "show --property=NRestarts --value ${SERVICE}") echo 3 ;;
      *) echo "systemctl: unrecognized option" >&2; exit 1 ;;
    esac\n`,
  );
  const { stderr } = await promisify(execFile)('sh', [script, SERVICE], {
    env: { PATH: `${folder}:${process.env['PATH']}`, ...env },
  });
  const calls = readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n');
  return { calls: calls.filter((call) => !call.startsWith('systemctl show')), said: stderr };
}

test('after a configuration error the sockets close, and the journal says what to do', async () => {
  const { calls, said } = await ended({ SERVICE_RESULT: 'exit-code', EXIT_STATUS: '78' });
  expect(calls).toEqual([`systemctl stop ${SOCKETS}`]);
  expect(said).toMatch(
    /^<3>.*clickmilter check && systemctl restart clickmilter-milter\.service\n$/,
  );
});

test('after another failed start the next one waits', async () => {
  const { calls, said } = await ended({ SERVICE_RESULT: 'exit-code', EXIT_STATUS: '69' });
  expect({ calls, said }).toEqual({ calls: ['sleep 3'], said: '' });
});

test('after a stop nothing happens', async () => {
  expect(await ended({ SERVICE_RESULT: 'success', EXIT_STATUS: '0' })).toEqual({
    calls: [''],
    said: '',
  });
});
