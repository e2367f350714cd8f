import { describe, expect, test } from 'vitest';
import { formatSealKey, newSealKey, parseSealKeys, SealKeys } from '../../src/link/seal-keys.ts';

const SECRET = 'lU0pmnUZ3JmqnEmtEkr5bdkqPRYmV2j2cF0n1n3xQ2o';
const LINE = `5c 2026-11-23T18:30:00Z ${SECRET}`;

test('a key is one line, and comes back from it', () => {
  const key = newSealKey([], Date.parse('2026-11-23T18:30:00.999Z'));
  const line = formatSealKey(key);
  expect(line).toMatch(/^[0-9a-f]{2} 2026-11-23T18:30:00Z [\w-]{43}\n$/);
  const [parsed] = parseSealKeys(`# comment\n\n${line.trim()} # mine\r\n`, 'keys').all;
  expect(parsed).toEqual({ ...key, from: Date.parse('2026-11-23T18:30:00Z') });
});

test('256 keys have 256 ids, and then there is no more', () => {
  const keys = Array.from({ length: 256 }).reduce<ReturnType<typeof newSealKey>[]>(
    (all) => [...all, newSealKey(all, 0)],
    [],
  );
  expect(new Set(keys.map(({ id }) => id)).size).toBe(256);
  expect(() => newSealKey(keys, 0)).toThrowErrorMatchingInlineSnapshot(
    `[UnusableFile: the key file holds 256 keys, the most there can be; delete the oldest lines whose links have expired]`,
  );
});

describe('the key that seals', () => {
  const keys = [100, 300, 200].map((from, id) => ({ id, from, secret: Buffer.alloc(32, id) }));
  test.each([
    ['before all', 50, 0],
    ['after the first', 150, 0],
    ['after the second', 250, 2],
    ['after all', 350, 1],
  ])('%s', (_, now, id) => {
    expect(new SealKeys(keys).sealing(now)).toBe(id);
  });

  test('of two of the same second it is the one further down', () => {
    const twins = [7, 8].map((id) => ({ id, from: 100, secret: Buffer.alloc(32) }));
    expect(new SealKeys(twins).sealing(200)).toBe(8);
  });
});

test('every key and day has a subkey of its own, the same each time', () => {
  const keys = parseSealKeys(`${LINE}\n${LINE.replace('5c', '5d')}`, 'keys');
  const other = parseSealKeys(LINE, 'keys');
  expect(keys.subkey(0x5c, 1)).toEqual(other.subkey(0x5c, 1));
  expect(keys.subkey(0x5c, 1)).not.toEqual(keys.subkey(0x5c, 2));
  expect(keys.subkey(0x5e, 1)).toBeUndefined();
});

test.each([
  ['an empty file', ''],
  ['only comments', '# nothing\n'],
  ['no key', `${LINE}\nhello\n`],
  ['a short secret', LINE.slice(0, -1)],
  ['a date that is none', LINE.replace('-11-', '-13-')],
  ['an id twice', `${LINE}\n${LINE}`],
])('%s is refused, without a secret in the message', (_, text) => {
  const message = catchMessage(() => parseSealKeys(text, '/etc/keys'));
  expect(message).not.toContain(SECRET.slice(0, 10));
  expect(message).toMatchSnapshot();
});

function catchMessage(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it was not refused');
}
