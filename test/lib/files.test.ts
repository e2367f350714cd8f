import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { entriesIn, naming, openToAppend, readIfAny, readWhole } from '../../src/lib/files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'clickmilter-files-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** What may stand in the place of a file. */
const OTHERS: Readonly<Record<string, (path: string) => unknown>> = {
  'a folder': (path) => mkdirSync(path),
  'a pipe': (path) => execFileSync('mkfifo', [path]),
  'a link to a device': (path) => symlinkSync('/dev/zero', path),
  'a link to itself': (path) => symlinkSync(path, path),
  'a link to nothing': (path) => symlinkSync('/nonexistent/file', path),
};

describe.each(Object.entries(OTHERS))('%s in the place of a file', (_, make) => {
  test('is not read, and named', () => {
    const path = join(folder, 'file');
    make(path);
    expect(() => readWhole(path)).toThrow(path);
    expect(readIfAny(path)).toBe('');
  });
});

test('a pipe that nobody reads is not opened for appending', async () => {
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  await expect(openToAppend(path, 0o600)).rejects.toThrow(path);
});

test('a folder has no pipes and devices', async () => {
  for (const [name, make] of Object.entries(OTHERS)) make(join(folder, name));
  writeFileSync(join(folder, 'a file'), 'text');
  const others = Object.keys(OTHERS).filter((name) => !/pipe|device/.test(name));
  expect((await entriesIn(folder)).sort()).toEqual(['a file', ...others].sort());
});

test('a file is read as it is, up to its bound', () => {
  const path = join(folder, 'file');
  writeFileSync(path, Buffer.from([0, 0xff, 10]));
  expect(readWhole(path, 3)).toEqual(Buffer.from([0, 0xff, 10]));
  expect(() => readWhole(path, 2)).toThrow(`${path} has 3 bytes: expected at most 2`);
});

test('a folder that does not exist has no files', async () => {
  expect(await entriesIn(join(folder, 'none'))).toEqual([]);
});

describe('errors of an open file name it', () => {
  test.each([
    ['a full disk', '/dev/full', 'a', /^\/dev\/full: ENOSPC/],
    ['a folder', '/', 'r', /^\/: EISDIR/],
  ] as const)('%s', async (_, path, flags, expected) => {
    const file = await open(path, flags);
    const use = async () => void (await (flags === 'a' ? file.appendFile('x') : file.readFile()));
    await expect(naming(path, use)).rejects.toThrow(expected);
    await file.close();
  });

  test('once', async () => {
    const path = join(folder, 'none');
    const twice = naming(path, () => naming(path, () => open(path)));
    await expect(twice).rejects.toThrow(`ENOENT: no such file or directory, open '${path}'`);
  });
});
