import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { builtProgram } from '../helpers/built-program.ts';

test('a socket of systemd that other hosts reach needs a login, or the start ends with 78', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'clickmilter-web-'));
  const holder = createServer();
  await once(holder.listen(0, '0.0.0.0'), 'listening');
  onTestFinished(() => {
    holder.close();
    rmSync(folder, { recursive: true });
  });
  const file = join(folder, 'clickmilter.conf');
  writeFileSync(
    file,
    'ESMTP_Listener { click_tracking_enabled = on tracking_domain = "click.example.com" }\n' +
      `Web_Listener { Listen "127.0.0.1:8896" { } }\nstate_directory = "${folder}"\n`,
  );
  const { fd } = Reflect.get(holder, '_handle') as { readonly fd: number };
  const run = `LISTEN_PID=$$ exec '${process.execPath}' '${builtProgram}' --config '${file}' run --role web`;
  const env = { ...process.env, LISTEN_FDS: '1', LISTEN_FDNAMES: 'web' };
  const child = spawn('sh', ['-c', run], { env, stdio: ['ignore', 'ignore', 'pipe', fd] });
  onTestFinished(() => void child.kill());
  let output = '';
  child.stderr?.on('data', (chunk) => {
    output += chunk;
  });
  const [code] = await once(child, 'close');
  expect([code, output]).toEqual([78, expect.stringContaining('set token_file in Web_Listener')]);
});
