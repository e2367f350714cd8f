import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { watchFiles } from '../../src/service/serve-redirect.ts';

let folder: string;
let changes: number;
let stop: () => void;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'watch-'));
  for (const name of ['old.pem', 'new.pem', 'key.pem']) writeFileSync(join(folder, name), name);
  symlinkSync('old.pem', join(folder, 'live.pem'));
  changes = 0;
  stop = watchFiles([join(folder, 'live.pem'), join(folder, 'key.pem')], () => changes++, 20);
});
afterEach(() => {
  stop();
  rmSync(folder, { recursive: true });
});

test('a file written anew, a link that leads elsewhere; and then no more', async () => {
  // On a busy machine the first look may come after the first write.
  const written = () => {
    if (changes === 0) writeFileSync(join(folder, 'key.pem'), `another key ${performance.now()}`);
    return changes;
  };
  await expect.poll(written, { interval: 500 }).toBeGreaterThan(0);
  const before = changes;
  symlinkSync('new.pem', join(folder, 'live.pem.new'));
  renameSync(join(folder, 'live.pem.new'), join(folder, 'live.pem'));
  await expect.poll(() => changes).toBeGreaterThan(before);
  stop();
});
