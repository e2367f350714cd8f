import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Journal } from '../../src/store/local/journal.ts';
import { eventsDefaults } from '../helpers/option-defaults.ts';

const cli = join(import.meta.dirname, '../../src/cli.ts');
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-events-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('whoever reads no further, as head does, ends it without an error', async () => {
  const conf = join(folder, 'clickmilter.conf');
  await writeFile(conf, `link_store = "sealed"\nevents { journal = "${folder}" }\n`);
  const journal = new Journal({ ...eventsDefaults, folder, kind: 'events' });
  const line = `{"msys":{"track_event":{"subject":"${'x'.repeat(1000)}"}}}`;
  await journal.append(Array.from({ length: 10_000 }, () => line));
  await journal.close();
  for (const args of [[], ['--follow']]) {
    const child = spawn(process.execPath, [
      '--import',
      'tsx',
      cli,
      '--config',
      conf,
      'events',
      ...args,
    ]);
    let errors = '';
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    child.stdout.once('data', () => child.stdout.destroy());
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
  }
});
