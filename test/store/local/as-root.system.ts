import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { addSealKey } from '../../../src/link/seal-key-file.ts';
import { BlockListFile } from '../../../src/store/local/blocks.ts';
import { FileCounters } from '../../../src/store/local/counters.ts';
import { recordedLog } from '../../helpers/recorded.ts';
import { exampleMessage } from '../../link/example-message.ts';
import { event, JournalFolder } from './journal-folder.ts';

// Commands that root runs write files that the service, a user of its own, has to read and write as well.

const NOBODY = 65_534;
const shop = { kind: 'domain', value: 'shop.example' } as const;
const resolved = {
  link: { target: 'https://www.shop.example/a', part: 'html' as const },
  message: exampleMessage(),
  isFor: () => true,
};
let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-as-root-'));
  path = join(folder, 'state', 'file');
});
afterEach(() => vi.useRealTimers());
afterEach(() => rm(folder, { recursive: true }));

describe('files and folders made by root are of the owner of the folder above', () => {
  test('keys', async () => {
    await chown(folder, NOBODY, NOBODY);
    await addSealKey(path);
    for (const made of [path, dirname(path)]) {
      expect(await stat(made)).toMatchObject({ uid: NOBODY, gid: NOBODY });
    }
    // The administrator's own folder stays the administrator's.
    await mkdir(join(folder, 'own'));
    await addSealKey(join(folder, 'own', 'keys'));
    expect(await stat(join(folder, 'own', 'keys'))).toMatchObject({ uid: 0, gid: 0 });
  });

  test('counts', async () => {
    await chown(folder, NOBODY, NOBODY);
    const below = join(folder, 'state', 'events');
    const byRoot = new FileCounters({ folder: below });
    byRoot.sent({ time: Date.parse('2026-11-23'), links: 1 });
    await byRoot.close();
    const [name = ''] = await readdir(below);
    for (const made of [join(folder, 'state'), below, join(below, name)]) {
      expect(await stat(made)).toMatchObject({ uid: NOBODY, gid: NOBODY });
    }
  });

  const journal = new JournalFolder();
  test('a journal', async () => {
    await chown(journal.path, NOBODY, NOBODY);
    await journal.open().append([event(1)]);
    const [name = ''] = await journal.names();
    expect(await stat(join(journal.path, name))).toMatchObject({ uid: NOBODY, gid: NOBODY });
  });
});

describe('a block list', () => {
  beforeEach(async () => {
    await mkdir(dirname(path));
    await chown(dirname(path), NOBODY, NOBODY);
  });

  test('it is that user who can read it', async () => {
    await new BlockListFile(path).add(shop);
    expect(await stat(path)).toMatchObject({ uid: NOBODY, gid: NOBODY });
  });

  test('a block counts that could not be read when it was made, although nothing changes afterwards', async () => {
    const { logger, lines } = recordedLog();
    vi.useFakeTimers({ toFake: ['performance'] });
    const service = new BlockListFile(path, logger);
    await chmod(folder, 0o755);
    await writeFile(path, 'domain shop.example\n', { mode: 0o600 });
    process.seteuid?.(NOBODY);
    try {
      expect(await service.find('T', resolved)).toBeUndefined();
      vi.advanceTimersByTime(1100);
      expect(await service.find('T', resolved)).toBeUndefined();
    } finally {
      process.seteuid?.(0);
    }
    vi.advanceTimersByTime(1100);
    expect(await service.find('T', resolved)).toEqual(shop);
    expect(lines).toMatchObject([{ reason: expect.stringContaining('EACCES') }]);
  });

  test('whose it was, it stays, with its mode', async () => {
    await writeFile(path, '', { mode: 0o600 });
    await chown(path, 1, NOBODY);
    await new BlockListFile(path).add(shop);
    const { uid, gid, mode } = await stat(path);
    expect({ uid, gid, mode: mode & 0o777 }).toEqual({ uid: 1, gid: NOBODY, mode: 0o600 });
  });

  test('nothing is written through a link that this user put there, nor given to him', async () => {
    const secret = join(folder, 'secret');
    await writeFile(secret, 'root only\n', { mode: 0o600 });
    await symlink(secret, path);
    await symlink(secret, `${path}.${process.pid}.new`);
    await new BlockListFile(path).add(shop);
    expect(await readFile(secret, 'utf8')).toBe('root only\n');
    expect(await stat(secret)).toMatchObject({ uid: 0, gid: 0 });
    const list = await lstat(path);
    expect({ uid: list.uid, mode: list.mode & 0o777 }).toEqual({ uid: 0, mode: 0o600 });
  });
});
