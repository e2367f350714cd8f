import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newMessageId } from '../../src/link/message-id.ts';
import { formatStoredToken, LinkChecks, parseStoredToken } from '../../src/link/stored-token.ts';

const ID = 'AbCdEfGhIjKlMn-_';

test('a token is 1, message id, check and index', () => {
  const checks = new LinkChecks('secret');
  const check = createHash('sha512').update('secret.0').digest('base64url');
  expect(formatStoredToken(ID, 0, checks)).toBe(`1${ID}${check.slice(0, 6)}A`);
  expect(formatStoredToken(ID, 13, checks)).toBe(`1${ID}${check.slice(78, 84)}N`);
  const next = createHash('sha512').update('secret.1').digest('base64url');
  expect(formatStoredToken(ID, 14, checks)).toBe(`1${ID}${next.slice(0, 6)}O`);
  expect(formatStoredToken(ID, 64, checks)).toMatch(/BA$/);
});

test('any index comes back', () => {
  const index = fc.oneof(fc.nat(200), fc.nat(64 ** 4 - 1));
  fc.assert(
    fc.property(index, (at) => {
      const id = newMessageId();
      const checks = { of: () => 'check_' } as unknown as LinkChecks;
      expect(parseStoredToken(formatStoredToken(id, at, checks))).toEqual({
        messageId: id,
        index: at,
        check: 'check_',
      });
    }),
  );
});

test('the checks of 5,000 links are all different', () => {
  const checks = new LinkChecks('secret');
  const all = Array.from({ length: 5_000 }, (_, index) => checks.of(index));
  expect(new Set(all).size).toBe(5_000);
});

test.each([
  ['of the other kind', `2${ID}checkkA`],
  ['without an index', `1${ID}checkk`],
  ['with leading zeros', `1${ID}checkkAB`],
  ['with an index past all reason', `1${ID}checkkBAAAA`],
  ['with padding', `1${ID}checkkA=`],
  ['with a foreign character', `1${ID}che+kkA`],
  ['with a line break', `1${ID}checkkA\n`],
])('none is a token %s', (_, token) => {
  expect(parseStoredToken(token)).toBeUndefined();
});

test('message ids are of 16 characters, and none comes twice', () => {
  const ids = Array.from({ length: 10_000 }, newMessageId);
  // An operator gives them to commands, which would take such a one for an option.
  expect(ids.filter((id) => id.startsWith('-'))).toEqual([]);
  for (const id of ids) expect(id).toMatch(/^[\w-]{16}$/);
  expect(new Set(ids).size).toBe(ids.length);
});
