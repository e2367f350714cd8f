import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRedisUrl } from '../../src/lib/redis-url.ts';

const local = { host: 'h', port: 6379 };

test.each<[string, object]>([
  ['redis://h', { at: local }],
  ['REDIS://h/', { at: local }],
  ['redis://h/3', { at: local, database: 3 }],
  ['redis://h?db=3', { at: local, database: 3 }],
  ['redis://[2001:db8::1]:7000/1', { at: { host: '2001:db8::1', port: 7000 }, database: 1 }],
  ['redis://[::1]', { at: { host: '::1', port: 6379 } }],
  ['redis://u:p%25%2F%23@h', { at: local, username: 'u', password: 'p%/#' }],
  ['redis://:a@b@h', { at: local, password: 'a@b' }],
  ['rediss://h', { tls: true, at: local }],
  ['unix:///run/r%20s?db=2', { at: { path: '/run/r s' }, database: 2 }],
])('%s', (text, expected) => {
  expect(parseRedisUrl(text)).toEqual({ tls: false, ...expected });
});

describe('refused', () => {
  test.each([
    ['no URL', '', 'redis', 'h:6379', 'redis:h', 'redis:/h', 'redis://', 'http://h', 'redsi://h'],
    ['a port', 'redis://h:0', 'redis://h:65536', 'redis://h:port', 'redis://h:-1'],
    ['a host', 'redis:///3', 'redis://:p@/3', 'redis://h%20x', 'redis://é', 'redis://h,i'],
    [
      'IPv6',
      'redis://2001:db8::1',
      'redis://[2001:db8::1',
      'redis://[::g]',
      'redis://[fe80::1%25e]',
    ],
    [
      'a database',
      'redis://h/abc',
      'redis://h/-1',
      'redis://h/1.5',
      'redis://h/0/',
      'redis://h/%31',
    ],
    ['a database', 'redis://h/99999999999', 'redis://h?db=', 'redis://h/?db=x', 'unix:///r?db=x'],
    [
      'two databases',
      'redis://h/1?db=1',
      'redis://h?db=1&db=2',
      'redis://h?db=1&x=1',
      'redis://h?x',
    ],
    [
      'a login',
      'redis://u:50%@h',
      'redis://%zz@h',
      'redis://u:a#b@h',
      'redis://u:a/b@h',
      'redis://:a?b@h',
    ],
    ['a fragment', 'redis://h#x', 'redis://h/3#'],
    [
      'a path',
      'unix://',
      'unix:///',
      'unix:///run/',
      'unix://run/r.sock',
      'unix:///a%00b',
      'unix:///%',
    ],
  ])('for %s: %j …', (_, ...texts) => {
    for (const text of texts) expect(() => parseRedisUrl(text), text).toThrow(RangeError);
  });

  test('without a word of the text, which may hold a password', () => {
    const pieces = fc.constantFrom('redis', '://', ':', '@', '/', '#', '?', '%', 'h', '[', 'unix');
    fc.assert(
      fc.property(fc.array(fc.oneof(pieces, fc.constant('S3CRET')), { maxLength: 12 }), (parts) => {
        try {
          parseRedisUrl(parts.join(''));
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
          expect((error as Error).message).not.toContain('S3CRET');
        }
      }),
    );
  });
});
