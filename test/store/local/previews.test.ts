import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PreviewFiles } from '../../../src/store/local/previews.ts';

let folder: string;
let previews: PreviewFiles;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'clickmilter-previews-'));
  previews = new PreviewFiles(folder);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const SKELETON = '<a data-link="0">Shop</a>';
const files = () => readdirSync(folder).filter((name) => name.endsWith('.preview'));

test('files of campaigns that have expired are removed with the next one', async () => {
  await previews.add('old', SKELETON, 1);
  const [name = ''] = files();
  utimesSync(join(folder, name), new Date(), new Date(Date.now() - 1000));
  await previews.add('new', SKELETON, 1);
  expect(files()).toHaveLength(1);
  expect(files()).not.toContain(name);
});

test('files of campaigns that have expired are removed where no next one comes', async () => {
  await previews.removeExpired();
  await previews.add('old', SKELETON, 1);
  const [name = ''] = files();
  await previews.add('new', SKELETON, 1);
  utimesSync(join(folder, name), new Date(), new Date(Date.now() - 1000));
  await previews.removeExpired();
  expect(files()).toHaveLength(1);
  expect(files()).not.toContain(name);
  rmSync(folder, { recursive: true });
  await previews.removeExpired();
});

test('beyond a thousand campaigns those go that expire first', async () => {
  for (let n = 0; n < 1000; n++) {
    const path = join(folder, `${`${n}`.padStart(43, 'x')}.preview`);
    writeFileSync(path, '');
    utimesSync(path, new Date(), new Date(Date.now() + 1_000_000 + n));
  }
  await previews.add('new', SKELETON, 90);
  expect(files()).toHaveLength(1000);
  expect(files()).not.toContain(`${'0'.padStart(43, 'x')}.preview`);
  expect(await previews.of('new')).toHaveLength(1);
});

test('a damaged file is an error to its reader, and the next copy replaces it', async () => {
  await previews.add('news', SKELETON, 1);
  const [name = ''] = files();
  for (const damaged of ['', '\u0001x', '\u0002', 'x'.repeat(100_000)]) {
    writeFileSync(join(folder, name), damaged);
    await expect(previews.of('news')).rejects.toThrow();
    await previews.add('news', SKELETON, 1);
    expect(await previews.of('news')).toMatchObject([{ skeleton: SKELETON }]);
  }
});
