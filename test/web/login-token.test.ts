import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { LoginToken, readLoginToken } from '../../src/web/login-token.ts';

const TOKEN = '0123456789abcdef';

describe('the file', () => {
  const fileOf = (text: string) => {
    const folder = mkdtempSync(join(tmpdir(), 'clickmilter-token-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'token');
    writeFileSync(file, text);
    return file;
  };
  test.each([TOKEN, `${TOKEN}\n`, ` ${TOKEN}\r\n`])('%j has the token', (text) => {
    expect(readLoginToken(fileOf(text))).toBe(TOKEN);
  });
  test.each(['', 'short\n', `${TOKEN}\n${TOKEN}\n`, `${TOKEN} x`, 'x'.repeat(513), 'é'.repeat(20)])(
    '%j has none',
    (text) => {
      expect(() => readLoginToken(fileOf(text))).toThrow(/token: expected one line of 16 to 512/);
    },
  );
  test('that is missing is named', () => {
    expect(() => readLoginToken('/nonexistent/token')).toThrow('/nonexistent/token');
  });
});

describe('guesses', () => {
  const guess = (token: LoginToken, address: string, times: number) =>
    Array.from({ length: times }, () => token.check('wrong', address)).at(-1);

  test.each([
    ['one address', '192.0.2.1', '192.0.2.1'],
    ['one IPv6 network', '2001:db8::1', '2001:db8::2'],
    ['one address in two spellings', '::ffff:192.0.2.1', '192.0.2.1'],
  ])('of %s are bounded', (_name, one, another) => {
    const token = new LoginToken(TOKEN);
    expect(guess(token, one, 10)).toBe('wrong');
    expect(token.check(TOKEN, another)).toBe('too many');
  });

  test.each([
    ['another address', '192.0.2.1', '192.0.2.2'],
    ['another network', '2001:db8:0:1::1', '2001:db8:0:2::1'],
    ['a unix socket', '192.0.2.1', undefined],
  ])('leave %s its own', (_name, one, another) => {
    const token = new LoginToken(TOKEN);
    expect(guess(token, one, 100)).toBe('too many');
    expect(token.check(TOKEN, another)).toBe('right');
  });

  test.each([
    ['a unix socket', undefined],
    ['a proxy on this host', '127.0.0.1'],
    ['a proxy on this host, by IPv6', '::1'],
  ])('of one client of %s do not lock out its others', (_name, address) => {
    const token = new LoginToken(TOKEN);
    const check = (text: string) => token.check(text, address);
    for (let n = 0; n < 100; n++) expect(check('wrong')).toBe('wrong');
    expect(check(TOKEN)).toBe('right');
    // All of them together are bounded, whether the right token has come or not.
    for (let n = 0; n < 900; n++) expect(check('wrong')).toBe('wrong');
    expect(check(TOKEN)).toBe('too many');
  });

  const guessFromAll = (token: LoginToken) => {
    const each = (n: number) => token.check('wrong', `192.0.${n >> 8}.${n & 255}`);
    return Array.from({ length: 1001 }, (_, n) => each(n)).at(-1);
  };

  test('of many networks are bounded together', () => {
    const token = new LoginToken(TOKEN);
    expect(guessFromAll(token)).toBe('too many');
    expect(token.check(TOKEN, '198.51.100.1')).toBe('too many');
  });

  test('of many networks do not keep out those who had the token', () => {
    const token = new LoginToken(TOKEN);
    expect(token.check(TOKEN, '198.51.100.1')).toBe('right');
    guessFromAll(token);
    expect(token.check(TOKEN, '198.51.100.1')).toBe('right');
    token.replace('fedcba9876543210');
    expect(token.check('fedcba9876543210', '198.51.100.1')).toBe('too many');
  });

  test('are forgotten after a minute', () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const token = new LoginToken(TOKEN);
    guess(token, '192.0.2.1', 11);
    vi.advanceTimersByTime(60_001);
    expect(token.check(TOKEN, '192.0.2.1')).toBe('right');
  });

  test('right ones are as many as they are', () => {
    const token = new LoginToken(TOKEN);
    for (let index = 0; index < 50; index++) expect(token.check(TOKEN, '192.0.2.1')).toBe('right');
  });
});

test('another token replaces the one before', () => {
  const token = new LoginToken(TOKEN);
  expect(token.replace(TOKEN)).toBe(false);
  expect(token.replace('fedcba9876543210')).toBe(true);
  expect(token.check(TOKEN, undefined)).toBe('wrong');
  expect(token.check('fedcba9876543210', undefined)).toBe('right');
});
