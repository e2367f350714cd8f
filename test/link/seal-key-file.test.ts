import {
  chmod,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { addSealKey, SealKeyFile } from '../../src/link/seal-key-file.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-keys-'));
  path = join(folder, 'state', 'keys');
});
afterEach(() => rm(folder, { recursive: true }));

const ids = (file: SealKeyFile) => file.keys().all.map(({ id }) => id);

test('the very first start makes a file that only its owner can read', async () => {
  const file = await SealKeyFile.open(path);
  expect(ids(file)).toHaveLength(1);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(ids(await SealKeyFile.open(path))).toEqual(ids(file));
});

test('of processes that start together one makes it, and all use it', async () => {
  const files = await Promise.all(Array.from({ length: 20 }, () => SealKeyFile.open(path)));
  expect(new Set(files.flatMap(ids)).size).toBe(1);
  expect((await readdir(join(folder, 'state'))).sort()).toEqual(['keys', 'keys.made']);
});

test('a file that is gone later is an error that says what to do, and no new key', async () => {
  const file = await SealKeyFile.open(path);
  await rm(path);
  const [opened, reloaded] = await Promise.allSettled([SealKeyFile.open(path), file.reload()]);
  const texts = [opened, reloaded].map((result) =>
    result.status === 'rejected'
      ? (result.reason as Error).message.replaceAll(folder, '')
      : 'opened',
  );
  expect(texts[0]).toMatchInlineSnapshot(
    `"/state/keys: the key file is gone (/state/keys.made says there was one), and without it no sealed link already sent can be opened. Restore it from the backup or from another host. To give up those links, run clickmilter keygen"`,
  );
  expect(texts[1]).toBe(texts[0]);
  expect(ids(file)).toHaveLength(1);
  await expect(stat(path)).rejects.toThrow('ENOENT');
  // Asked for by name, a new one is made.
  await addSealKey(path);
  expect(ids(await SealKeyFile.open(path))).not.toEqual(ids(file));
});

test('a file brought from another host is missed as well', async () => {
  const other = join(folder, 'other');
  await SealKeyFile.open(other);
  await addSealKey(path);
  await writeFile(path, await readFile(other));
  await rm(`${path}.made`);
  await SealKeyFile.open(path);
  await rm(path);
  await expect(SealKeyFile.open(path)).rejects.toThrow('the key file is gone');
});

test('a new key is appended: comments, owner and mode stay, and a reload reads it', async () => {
  const file = await SealKeyFile.open(path);
  await chmod(path, 0o640);
  const before = (await readFile(path, 'utf8')).trimEnd();
  await writeFile(path, before);
  const { id } = await addSealKey(path);
  expect(await readFile(path, 'utf8')).toMatch(new RegExp(`^${quoted(before)}\n[0-9a-f]{2} `));
  expect((await stat(path)).mode & 0o777).toBe(0o640);
  expect(ids(file)).not.toContain(id);
  await file.reload();
  expect(ids(file)).toContain(id);
});

test('a damaged file stops the start, and leaves a running service its keys', async () => {
  const file = await SealKeyFile.open(path);
  const before = ids(file);
  await writeFile(path, 'oops\n');
  await expect(file.reload()).rejects.toThrow(/keys:1: not a sealing key/);
  expect(ids(file)).toEqual(before);
  await expect(SealKeyFile.open(path)).rejects.toThrow(/keys:1: not a sealing key/);
  await expect(addSealKey(path)).rejects.toThrow(/keys:1: not a sealing key/);
});

test('a new key is not written through a symbolic link', async () => {
  await SealKeyFile.open(path);
  const elsewhere = join(folder, 'elsewhere');
  await rename(path, elsewhere);
  await symlink(elsewhere, path);
  const before = await readFile(elsewhere, 'utf8');
  await expect(addSealKey(path)).rejects.toThrow(
    /keys is a symbolic link: nothing is written through it, name the file itself/,
  );
  expect(await readFile(elsewhere, 'utf8')).toBe(before);
});

function quoted(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
