import {
  appendFile,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BlockListFile } from '../../src/link/block-list-file.ts';
import { exampleMessage } from './example-message.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-blocks-'));
  path = join(folder, 'state', 'blocks');
});
afterEach(() => rm(folder, { recursive: true }));

const resolved = {
  link: { target: 'https://www.shop.example/a', part: 'html' as const },
  message: exampleMessage(),
  isFor: () => true,
};
const shop = { kind: 'domain', value: 'shop.example' } as const;
const token = { kind: 'token', value: 'T' } as const;

test('a block made by one process counts for the next request of another', async () => {
  const [service, operator] = [new BlockListFile(path), new BlockListFile(path)];
  expect(await service.find('T', resolved)).toBeUndefined();
  expect(await operator.add(shop)).toBe(true);
  expect(await service.find('T', resolved)).toEqual(shop);
  expect(await operator.add(shop)).toBe(false);
  expect(await operator.add(token)).toBe(true);
  expect(await operator.all()).toEqual([shop, token]);
  expect(await operator.remove(shop)).toBe(true);
  expect(await operator.remove(shop)).toBe(false);
  expect(await service.find('T', resolved)).toEqual(token);
  await rm(path);
  expect(await service.find('T', resolved)).toBeUndefined();
});

test('requests that come while the list is read wait for it', async () => {
  const service = new BlockListFile(path);
  await new BlockListFile(path).add(shop);
  const found = await Promise.all([1, 2, 3].map(() => service.find('T', resolved)));
  expect(found).toEqual([shop, shop, shop]);
});

test('it may be edited by hand; what is no block is said, the rest holds', async () => {
  const problems: string[] = [];
  const service = new BlockListFile(path, (text) => problems.push(text.replace(folder, '')));
  await service.add(token);
  await appendFile(path, '  domain shop.example\r\n\n# mine\nshop.example\n');
  expect(await service.find('U', resolved)).toEqual(shop);
  await service.find('U', resolved);
  expect(problems).toMatchInlineSnapshot(`
    [
      "/state/blocks:7: "shop.example" is no block; a line is "token T", "message M", "url U" or "domain D"",
    ]
  `);
  await service.remove(shop);
  expect(await readFile(path, 'utf8')).toContain('\n# mine\nshop.example\n');
});

test('a list that cannot be read leaves the one before it', async () => {
  const problems: string[] = [];
  const service = new BlockListFile(path, (text) => problems.push(text.replace(folder, '')));
  await service.add(shop);
  await service.find('T', resolved);
  await rm(path);
  await mkdir(path);
  expect(await service.find('T', resolved)).toEqual(shop);
  expect(problems).toEqual(['EISDIR: illegal operation on a directory, read']);
});

test('a change is seen that leaves size and time as they were, as of permissions that were repaired', async () => {
  const service = new BlockListFile(path);
  await mkdir(dirname(path));
  await writeFile(path, 'token T\n');
  await utimes(path, 1, 1);
  expect(await service.find('T', resolved)).toEqual(token);
  await writeFile(path, 'token U\n');
  await utimes(path, 1, 1);
  expect(await service.find('T', resolved)).toBeUndefined();
});

test('whoever could read it still can', async () => {
  await new BlockListFile(path).add(shop);
  const made = await stat(path);
  expect(made.mode & 0o777).toBe(0o640);
  expect(made.uid).toBe((await stat(join(folder, 'state'))).uid);
  await writeFile(path, '');
  expect(await new BlockListFile(path).add(shop)).toBe(true);
});
