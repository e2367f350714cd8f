import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { domainMatcher, recipientMatcher, urlMatcher } from '../../src/scope/pattern-matcher.ts';

describe('domains', () => {
  test.each([
    ['example.com', 'example.com', true],
    ['example.com', 'EXAMPLE.com.', true],
    ['example.com', 'www.example.com', true],
    ['example.com', 'a.b.example.com', true],
    ['example.com', 'badexample.com', false],
    ['example.com', 'example.com.evil.test', false],
    ['example.com', 'com', false],
    ['*.example.com', 'example.com', false],
    ['*.example.com', 'www.example.com', true],
    ['.example.com', 'www.example.com', true],
    ['.example.com', 'example.com', false],
    ['192.0.2.1', '192.0.2.1', true],
    ['2.1', '192.0.2.1', true],
    ['example.com', '', false],
  ])('%s on %s: %s', (pattern, host, expected) => {
    expect(domainMatcher([pattern]).matches(host)).toBe(expected);
  });
});

describe('recipients', () => {
  test.each([
    ['user@example.com', 'User@Example.com', true],
    ['user@example.com', 'user@sub.example.com', false],
    ['user@example.com', 'other@example.com', false],
    ['example.com', 'anyone@example.com', true],
    ['example.com', 'anyone@sub.example.com', true],
    ['*.example.com', 'anyone@example.com', false],
    ['example.com', '"a@b"@example.com', true],
    ['example.com', 'example.com', true],
    ['example.com', '', false],
    ['xn--sd-xka.test', 'ü@Süd.test', true],
    ['SÜD.test', 'a@XN--SD-XKA.test', true],
    ['SÜD.test', 'a@post.süd.test', true],
    ['*.süd.test', 'a@süd.test', false],
    ['*.süd.test', 'a@post.xn--sd-xka.test', true],
    ['a@süd.test', 'A@xn--sd-xka.test', true],
    ['a@xn--sd-xka.test', 'a@sÜd.test.', true],
    ['ü@süd.test', 'u@süd.test', false],
    ['süd.test', 'a@süd test', false],
  ])('%s on %s: %s', (pattern, address, expected) => {
    expect(recipientMatcher([pattern]).matches(address)).toBe(expected);
  });
});

describe('URLs', () => {
  test.each([
    ['https://example.com/', 'https://example.com/', true],
    ['https://example.com/', 'https://example.com/x', false],
    ['https://example.com/*', 'HTTPS://EXAMPLE.com/x', true],
    ['*/unsubscribe*', 'https://example.com/a/Unsubscribe?u=1', true],
    ['*/unsubscribe', 'https://example.com/unsubscribe?u=1', false],
    ['*', 'https://example.com/', true],
    ['**', '', true],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['*ab*b', 'xab', false],
    ['*ab*b', 'xabb', true],
    ['*.(a+)+$', 'https://example.com/aaaaaaaaaa!', false],
  ])('%s on %s: %s', (pattern, url, expected) => {
    expect(urlMatcher([pattern]).matches(url)).toBe(expected);
  });

  test('match as the same pattern written as a regular expression does', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 12 });
    fc.assert(
      fc.property(text, text, (pattern, url) => {
        const source = pattern.replaceAll('.', '\\.').replace(/\*+/g, '.*');
        expect(urlMatcher([pattern]).matches(url)).toBe(new RegExp(`^${source}$`).test(url));
      }),
      { numRuns: 1000 },
    );
  });
});
