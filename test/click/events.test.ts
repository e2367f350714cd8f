import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { signature, verifySignature } from '../../src/click/events.ts';

const SECRET = 'a secret';
const BODY = '[{"msys":{}}]';
const SECONDS = 1_700_000_000;
const now = SECONDS * 1000;

/** What docs/events.md says of the header, computed independently. */
const documented = (body: string, secret: string, seconds: number) =>
  `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
const right = documented(BODY, SECRET, SECONDS);

test('a signature is what the documentation says', () => {
  expect(signature(BODY, SECRET, SECONDS)).toBe(right);
});

test('any body that was signed is verified, as text and as bytes, and by no other secret', () => {
  const texts = fc.string({ unit: 'binary' });
  fc.assert(
    fc.property(texts, fc.string({ minLength: 1 }), fc.nat(), (body, secret, seconds) => {
      const header = documented(body, secret, seconds);
      const options = { now: seconds * 1000 };
      expect(verifySignature(header, body, secret, options)).toBe(true);
      expect(verifySignature(header, Buffer.from(body), secret, options)).toBe(true);
      expect(verifySignature(header, `${body} `, secret, options)).toBe(false);
      expect(verifySignature(header, body, `${secret}x`, options)).toBe(false);
    }),
  );
});

describe('a header that is no signature is refused without an error', () => {
  test.each([
    ['missing', undefined],
    ['null, as fetch has it', null],
    ['empty', ''],
    ['several headers', [right, right]],
    ['without a time', right.replace(/^.*,/, '')],
    ['without a signature', right.replace(/,.*/, '')],
    ['another version', right.replace('v1', 'v2')],
    ['a short signature', right.slice(0, -1)],
    ['a long signature', `${right}0`],
    ['no hexadecimal digits', `${right.slice(0, -1)}g`],
    ['capital letters', right.replace(/v1=.*/, (text) => text.toUpperCase())],
    ['another time', right.replace(/t=\d+/, `t=${SECONDS + 1}`)],
    ['a time before 1970', right.replace('t=', 't=-')],
    ['a time that is no number', right.replace(/t=\d+/, 't=NaN')],
    ['an endless time', right.replace(/t=\d+/, `t=${'9'.repeat(400)}`)],
    ['a leading zero, which is another text', right.replace('t=', 't=0')],
    ['a line break behind it', `${right}\n`],
  ])('%s', (_what, header) => {
    expect(verifySignature(header, BODY, SECRET, { now })).toBe(false);
  });

  test('whatever it is', () => {
    const headers = fc.oneof(fc.string(), fc.array(fc.string()), fc.constant(undefined));
    fc.assert(fc.property(headers, (header) => !verifySignature(header, BODY, SECRET, { now })));
  });
});

test('a later version may append another signature', () => {
  expect(verifySignature(`${right},v2=abc`, BODY, SECRET, { now })).toBe(true);
});

test.each([
  [300, undefined, true],
  [-300, undefined, true],
  [301, undefined, false],
  [-301, undefined, false],
  [301, 600, true],
  [1, 0, false],
  [0, 0, true],
])('a signature %i s old, with a tolerance of %s s: %s', (age, toleranceSeconds, expected) => {
  const options = {
    now: now + age * 1000,
    ...(toleranceSeconds !== undefined && { toleranceSeconds }),
  };
  expect(verifySignature(right, BODY, SECRET, options)).toBe(expected);
});

test('an empty secret is an error of the receiver', () => {
  const header = documented(BODY, '', SECONDS);
  expect(() => verifySignature(header, BODY, '', { now })).toThrow(/secret is empty/);
});
