import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { StoreUnavailable } from '../../../src/link/link-store.ts';
import { OptOutFile } from '../../../src/store/local/opt-outs.ts';
import { loggedOptOuts, optOutDigest } from '../../../src/store/opt-outs.ts';
import { recordedLog } from '../../helpers/recorded.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'clickmilter-opt-outs-'));
  path = join(folder, 'state/opt-outs');
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true });
});

const digest = optOutDigest('ada@x.example');

test('the file holds no address, and stays what a crash has left of it', async () => {
  const file = new OptOutFile(path);
  await file.add([digest]);
  expect(readFileSync(path, 'utf8')).toMatch(new RegExp(`^\\n${digest} \\S+Z\\n$`));
  appendFileSync(path, `${optOutDigest('b@x.example').slice(0, 10)}`);
  await file.add([optOutDigest('c@x.example')]);
  const others = new OptOutFile(path);
  expect(await others.hasAny(['ada@x.example'])).toBe(true);
  expect(await others.hasAny(['c@x.example'])).toBe(true);
  expect(await others.hasAny(['b@x.example'])).toBe(false);
});

test('another process sees each change within a second, its own sees it at once', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const [file, other] = [new OptOutFile(path), new OptOutFile(path)];
  const isOptedOut = async () => {
    const own = await file.hasAny(['ada@x.example']);
    vi.advanceTimersByTime(999);
    return [own, await other.hasAny(['ada@x.example'])];
  };
  expect(await isOptedOut()).toEqual([false, false]);
  await file.add([digest]);
  expect(await isOptedOut()).toEqual([true, true]);
  await file.remove([digest]);
  expect(await isOptedOut()).toEqual([false, false]);
  await file.add([digest]);
  rmSync(path);
  vi.advanceTimersByTime(999);
  expect(await isOptedOut()).toEqual([false, false]);
});

test('the messages of the same moment share one look at the file', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const other = new OptOutFile(path);
  expect(await other.hasAny(['ada@x.example'])).toBe(false);
  await new OptOutFile(path).add([digest]);
  expect(await other.hasAny(['ada@x.example'])).toBe(false);
  vi.advanceTimersByTime(999);
  expect(await other.hasAny(['ada@x.example'])).toBe(true);
});

test('lines that are no opt-outs are named in the log, and the others hold', async () => {
  mkdirSync(join(folder, 'state'));
  writeFileSync(path, `# by hand\r\nada@x.example\n${digest} 2026-01-01\n`);
  const { logger, lines } = recordedLog();
  expect(await new OptOutFile(path, logger).hasAny(['ada@x.example'])).toBe(true);
  expect(lines).toMatchObject([{ level: 'error', place: `${path}:2` }]);
  expect(JSON.stringify(lines)).not.toContain('ada');
});

test('a list that cannot be read is not an empty one', async () => {
  mkdirSync(path, { recursive: true });
  const file = new OptOutFile(path);
  await expect(file.hasAny(['a@x.example'])).rejects.toBeInstanceOf(StoreUnavailable);
  await expect(file.hasAny(['a@x.example'])).rejects.toBeInstanceOf(StoreUnavailable);
  await expect(file.add([digest])).rejects.toBeInstanceOf(StoreUnavailable);
});

test('the log says once that nothing is tracked, and once that it is again', async () => {
  mkdirSync(path, { recursive: true });
  const { logger, lines } = recordedLog();
  const optOuts = loggedOptOuts(new OptOutFile(path), logger);
  for (let i = 0; i < 3; i++) await expect(optOuts.hasAny(['a@x.example'])).rejects.toThrow();
  rmSync(path, { recursive: true });
  for (let i = 0; i < 3; i++) expect(await optOuts.hasAny(['a@x.example'])).toBe(false);
  expect(lines).toMatchObject([
    {
      level: 'error',
      message: 'opt-outs are not known: mail is not tracked',
      reason: expect.stringMatching(/^opt-outs: .*: expected a file$/),
    },
    { level: 'info', message: 'opt-outs are known again' },
  ]);
});
