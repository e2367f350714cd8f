import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { requireProgram } from '../../helpers/peer-process.ts';
import type { Bench, Part } from '../harness.ts';
import { CORES } from '../measured-process.ts';
import { peerFile } from '../milters.ts';
import { Rounds } from '../rounds.ts';

type LookUp = Record<'new' | 'known', number>;

/** Finding the scope of a client, with few peers configured and with many. */
export const scopes: Part = {
  name: 'scopes',
  async run(bench) {
    const many = await configurationOf(bench, 10_000);
    const few = await configurationOf(bench, 10);
    const rounds = await Rounds.run<keyof LookUp>(bench.options.rounds, {
      '10,000 peers': () => lookUp(bench, many),
      '10 peers': () => lookUp(bench, few),
    });
    const what = 'scope of a client';
    return [
      rounds.absolute(`${what} never seen before`, 'new', 'µs', '10,000 peers', { atMost: 20 }),
      ...rounds.row(`${what} never seen before`, 'new', 'µs', '10,000 peers', '10 peers'),
      ...rounds.row(`${what} seen before`, 'known', 'µs', '10,000 peers', '10 peers'),
    ];
  },
};

/** Networks of different sizes, as a provider's customers have them: every second one has tracking switched on. */
async function configurationOf(bench: Bench, peers: number): Promise<string> {
  const file = join(bench.dir, `${peers}-peers.conf`);
  const stanzas = Array.from({ length: peers }, (_, i) => {
    const network = `10.${i % 256}.${(i >> 8) % 256}.0/${i < 256 ? 16 : 24}`;
    return `  Peer "${network}" { click_tracking_enabled = ${i % 2 === 0} }\n`;
  });
  const domain = 'tracking_domain = "click.example"';
  await writeFile(file, `ESMTP_Listener {\n  ${domain}\n${stanzas.join('')}}\n`);
  return file;
}

async function lookUp(bench: Bench, configuration: string): Promise<LookUp> {
  const script = [peerFile('scope-lookup.mjs'), dirname(bench.cli), configuration];
  const args = ['-c', CORES.measured, process.execPath, ...script];
  const { stdout } = await promisify(execFile)(requireProgram('taskset', 'util-linux'), args);
  return JSON.parse(stdout) as LookUp;
}
