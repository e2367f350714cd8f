import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newMessageId } from '../../src/link/message-id.ts';
import { formatStoredToken, LinkChecks, parseStoredToken } from '../../src/link/stored-token.ts';

const ID = 'AbCdEfGhIjKlMn-_';

test('a token is 3, message id, check and index', () => {
  const checks = new LinkChecks('secret');
  const check = createHash('sha512').update('secret:0').digest('base64url');
  expect(formatStoredToken(ID, 0, checks)).toBe(`3${ID}${check.slice(0, 6)}A`);
  expect(formatStoredToken(ID, 13, checks)).toBe(`3${ID}${check.slice(78, 84)}N`);
  const next = createHash('sha512').update('secret:1').digest('base64url');
  expect(formatStoredToken(ID, 14, checks)).toBe(`3${ID}${next.slice(0, 6)}O`);
  expect(formatStoredToken(ID, 61, checks)).toMatch(/9$/);
  expect(formatStoredToken(ID, 62, checks)).toMatch(/BA$/);
});

test('any index comes back, and the token begins and ends with a letter or digit', () => {
  const index = fc.oneof(fc.nat(200), fc.nat(62 ** 4 - 1));
  fc.assert(
    fc.property(index, (at) => {
      const id = newMessageId();
      const checks = { of: () => 'check_' } as unknown as LinkChecks;
      const token = formatStoredToken(id, at, checks);
      expect(token).toMatch(/^[A-Za-z0-9][\w-]+[A-Za-z0-9]$/);
      expect(parseStoredToken(token)).toEqual({
        form: 3,
        messageId: id,
        index: at,
        check: 'check_',
      });
    }),
  );
});

/** Tokens are in inboxes: the earlier form is read for ever. */
test.each([
  ['A', 0],
  ['-', 62],
  ['_', 63],
  ['BA', 64],
  ['B-', 126],
])('the earlier form, which ends in its index %s in base 64, is read', (digits, index) => {
  const block = Math.floor(index / 14);
  const check = createHash('sha512').update(`secret.${block}`).digest('base64url');
  const expected = check.slice((index % 14) * 6, (index % 14) * 6 + 6);
  const parsed = parseStoredToken(`1${ID}${expected}${digits}`);
  expect(parsed).toEqual({ form: 1, messageId: ID, index, check: expected });
  expect(new LinkChecks('secret').of(index, 1)).toBe(expected);
  // Of both forms only one leads anywhere, or a block on the one were evaded by the other.
  expect(new LinkChecks('secret').of(index, 3)).not.toBe(expected);
});

test('the checks of 5,000 links are all different', () => {
  const checks = new LinkChecks('secret');
  const all = Array.from({ length: 5_000 }, (_, index) => checks.of(index, 3));
  expect(new Set(all).size).toBe(5_000);
});

test.each([
  ['of the other kind', `2${ID}checkkA`],
  ['without an index', `1${ID}checkk`],
  ['with leading zeros', `1${ID}checkkAB`],
  ['with leading zeros', `3${ID}checkkAB`],
  ['whose index ends in a hyphen', `3${ID}checkkB-`],
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
