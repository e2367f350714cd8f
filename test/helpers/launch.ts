import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { builtProgram } from './built-program.ts';
import { freePort } from './free-port.ts';
import { type PeerProcess, startPeer } from './peer-process.ts';

/**
 * Starts the built service with a folder and ports of its own, both for one test, and does not wait until it serves.
 * @param settings lines of clickmilter.conf beside its listeners and its state folder
 */
export async function launch(
  settings: string,
): Promise<{ readonly starting: PeerProcess; readonly milterPort: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'clickmilter-launch-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const milterPort = await freePort();
  const configFile = join(folder, 'clickmilter.conf');
  await writeFile(
    configFile,
    `state_directory = "${folder}/var"
Milter_Listener { Listen "127.0.0.1:${milterPort}" { } }
HTTP_Listener { Listen "127.0.0.1:${await freePort()}" { } }
Control_Listener { enable = off }
${settings}
`,
  );
  const starting = startPeer(process.execPath, [builtProgram, '-c', configFile, 'run']);
  onTestFinished(async () => void (await starting.stop()));
  return { starting, milterPort };
}
