import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';

test('a script that only sums up does not end before all is summed up', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'clickmilter-sum-up-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const days = ['01', '02', '03'];
  const line = JSON.stringify(['sent2', '09', 'spring', '', 'example.org', [], 1, 2]);
  for (const day of days) {
    await writeFile(join(folder, `counts-2026-11-${day}.host.1.jsonl`), `${line}\n`);
  }
  const file = join(import.meta.dirname, '../../../src/store/local/sum-up.ts');
  const script = `
    import { sumUpCounts } from ${JSON.stringify(file)};
    await sumUpCounts({ folder: ${JSON.stringify(folder)}, logger: console });
  `;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script];
  await promisify(execFile)(process.execPath, args);
  const names = await readdir(folder);
  for (const day of days) expect(names.join()).toContain(`counts-2026-11-${day}.1`);
});
