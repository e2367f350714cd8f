import {
  appendFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BlockListFile } from '../../../src/store/local/blocks.ts';
import { recordedLog } from '../../helpers/recorded.ts';
import { exampleMessage } from '../../link/example-message.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-blocks-'));
  path = join(folder, 'state', 'blocks');
});
afterEach(() => vi.useRealTimers());
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
  const { logger, lines } = recordedLog();
  const service = new BlockListFile(path, logger);
  await service.add(token);
  await appendFile(path, '  domain shop.example\r\n\n# mine\nshop.example\n');
  expect(await service.find('U', resolved)).toEqual(shop);
  await service.find('U', resolved);
  expect(lines).toMatchObject([
    {
      place: `${path}:7`,
      line: 'shop.example',
      message: expect.stringMatching(/^invalid line in block list, ignored/),
    },
  ]);
  await service.remove(shop);
  expect(await readFile(path, 'utf8')).toContain('\n# mine\nshop.example\n');
});

test('a retarget that leads nowhere is said as well, and none holds', async () => {
  const { logger, lines } = recordedLog();
  const service = new BlockListFile(path, logger);
  const made = { by: 'alice@mx1', since: '2026-11-29T12:00:00.000Z' };
  await service.add({ kind: 'token', value: 'T', to: 'https://b.example/', ...made });
  await writeFile(path, (await readFile(path, 'utf8')).replace('https:', 'javascript:'));
  expect(await service.find('T', resolved)).toBeUndefined();
  expect(lines).toMatchObject([
    { place: `${path}:3`, line: expect.stringMatching(/^retarget token T \{"to":"javascript:/) },
  ]);
});

test('of a file that is no block list, a few lines are said', async () => {
  const { logger, lines } = recordedLog();
  await mkdir(dirname(path));
  await writeFile(path, `domain shop.example\n${`${'x'.repeat(5000)}\n`.repeat(1000)}`);
  expect(await new BlockListFile(path, logger).find('T', resolved)).toEqual(shop);
  expect(lines).toHaveLength(11);
  expect(lines[0]).toMatchObject({ place: `${path}:2`, line: 'x'.repeat(200) });
  expect(lines[10]).toMatchObject({ place: path, lines: 990 });
});

test('a list that cannot be read leaves the one before it', async () => {
  const { logger, lines } = recordedLog();
  const service = new BlockListFile(path, logger);
  await service.add(shop);
  await service.find('T', resolved);
  await rm(path);
  await mkdir(path);
  expect(await service.find('T', resolved)).toEqual(shop);
  expect(lines).toMatchObject([{ reason: `${path}: expected a file` }]);
});

test('a list that cannot be looked at leaves the one before it, and is told once', async () => {
  const { logger, lines } = recordedLog();
  const service = new BlockListFile(path, logger);
  await service.add(shop);
  await service.find('T', resolved);
  const text = await readFile(path, 'utf8');
  await rm(path);
  await symlink(path, path);
  expect(await service.find('T', resolved)).toEqual(shop);
  expect(await service.find('T', resolved)).toEqual(shop);
  expect(lines).toMatchObject([{ reason: expect.stringContaining('ELOOP') }]);
  await rm(path);
  await writeFile(path, text.replace('domain shop.example', 'token T'));
  expect(await service.find('T', resolved)).toEqual(token);
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

test('edits at the same time are all kept, and leave nothing behind', async () => {
  const values = Array.from({ length: 20 }, (_, n) => `shop-${n}.example`);
  const added = values.map((value) => new BlockListFile(path).add({ kind: 'domain', value }));
  expect(await Promise.all(added)).toEqual(values.map(() => true));
  const kept = (await new BlockListFile(path).all()).map(({ value }) => value);
  expect(kept.sort()).toEqual(values.sort());
  expect(await readdir(dirname(path))).toEqual(['blocks']);
});

test('an edit waits for the one before it, but not for one that was killed', async () => {
  const list = new BlockListFile(path);
  await list.add(token);
  const lock = `${path}.lock`;
  await writeFile(lock, '');
  let isDone = false;
  const adding = list.add(shop).finally(() => {
    isDone = true;
  });
  for (let turn = 0; turn < 50; turn++) await stat(lock);
  expect(isDone).toBe(false);
  await utimes(lock, 1, 1);
  expect(await adding).toBe(true);
  expect(await list.all()).toEqual([shop, token]);
});
