import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SkipReason } from '../../src/message/skip-reasons.ts';
import { type Base, baseOf, targetOf } from '../../src/message/target.ts';

const BASE = baseOf('https://base.example/dir/page?x#y', Number.POSITIVE_INFINITY);

const target = (written: string, base: Base | SkipReason = 'relative', utf8Queries = true) => {
  const found = targetOf(written, base, utf8Queries);
  return typeof found === 'string' ? `left alone: ${found}` : found.target;
};

test.each([
  ['https://a.example', 'https://a.example'],
  ['HTTPS://A.Example/../B/./c%7e?b=2&a=1#F', 'HTTPS://A.Example/../B/./c%7e?b=2&a=1#F'],
  ["https://a.example/a|b'c*{d}", "https://a.example/a|b'c*{d}"],
  [' \t\r\nhttps://a.ex\n ample/ \0', 'left alone: invalid-url'],
  ['\n https://a.exa\r\n\tmple/x ', 'https://a.example/x'],
  ['https://a.example/a b', 'https://a.example/a%20b'],
  ['https://a.example/straße?q=ü#ß', 'https://a.example/stra%C3%9Fe?q=%C3%BC#%C3%9F'],
  ['https://a.example/🍁', 'https://a.example/%F0%9F%8D%81'],
  ['https://bücher.example:8080/x', 'https://xn--bcher-kva.example:8080/x'],
  ['https://user:pä@bücher.example/', 'https://user:p%C3%A4@xn--bcher-kva.example/'],
  ['https://[::1]:80/', 'https://[::1]:80/'],
  ['https:\\\\a.example\\x', 'https://a.example/x'],
  ['http:/a.example/x', 'http://a.example/x'],
  ['https://us\x01er: @a.example/', 'https://us%01er:%20@a.example/'],
  ['https://é@a.example:80/', 'https://%C3%A9@a.example:80/'],
  ['https://１２７.1:080/', 'https://127.0.0.1:080/'],
  ['https://', 'left alone: invalid-url'],
  ['https://exé ample.com/evil.example/', 'left alone: invalid-url'],
  ['https://xn--iñvalid.com/evil.example/', 'left alone: invalid-url'],
  ['https://user@é|x/evil.example/', 'left alone: invalid-url'],
  ['https://é%zz.com/evil.example/', 'left alone: invalid-url'],
  ['https://\u00ad/evil.example/', 'left alone: invalid-url'],
  ['https://a b.example/', 'left alone: invalid-url'],
  ['https://a.example:99999/', 'left alone: invalid-url'],
  ['mailto:a@b.example', 'left alone: scheme'],
  ['tel:+49123', 'left alone: scheme'],
  ['javascript:alert(1)', 'left alone: scheme'],
  ['java\nscript:alert(1)', 'left alone: scheme'],
  ['cid:x', 'left alone: scheme'],
  ['', 'left alone: relative'],
  ['#top', 'left alone: relative'],
  ['/path', 'left alone: relative'],
  ['//a.example/path', 'left alone: relative'],
  ['www.a.example', 'left alone: relative'],
  ['{{ url }}', 'left alone: placeholder'],
  ['*|UNSUB|*', 'left alone: placeholder'],
  ['%%link%%', 'left alone: placeholder'],
  ['[[url]]', 'left alone: placeholder'],
  ['https://{{host}}/x', 'left alone: placeholder'],
  ['https://%%host%%', 'left alone: placeholder'],
  ['https://a.example/?mail={{mail}}', 'https://a.example/?mail={{mail}}'],
])('%j leads to %s', (written, expected) => {
  expect(target(written)).toBe(expected);
});

describe('relative links', () => {
  test.each([
    ['x', 'https://base.example/dir/x'],
    ['/x y', 'https://base.example/x%20y'],
    ['//other.example/x', 'https://other.example/x'],
    ['?q', 'https://base.example/dir/page?q'],
    ['#top', 'left alone: relative'],
    ['mailto:x@y.example', 'left alone: scheme'],
    ['HTTPS://a.example/B', 'HTTPS://a.example/B'],
  ])('%j is resolved by the base to %s', (written, expected) => {
    expect(target(written, BASE)).toBe(expected);
  });

  test.each(['relative/', '', 'data:text/html,x', 'ftp://a.example/', undefined])(
    'a base of %j is none',
    (href) => {
      expect(baseOf(href, 1000)).toBe('relative');
    },
  );

  test('all together have no more characters than there is room for', () => {
    const base = baseOf('https://base.example/dir/', 100);
    const found = ['1', '2', 'https://a.example/3', '4', '5'].map((link) => target(link, base));
    expect(found).toEqual([
      'https://base.example/dir/1',
      'https://base.example/dir/2',
      'https://a.example/3',
      'https://base.example/dir/4',
      'left alone: growth',
    ]);
  });
});

test.each([
  ['https://a.example/ü?q=1', 'https://a.example/%C3%BC?q=1'],
  ['https://a.example/?q=ü', 'left alone: charset'],
  ['https://a.example/?q=1#ü', 'https://a.example/?q=1#%C3%BC'],
])('in a charset that is not UTF-8 %s leads to %s', (written, expected) => {
  expect(target(written, 'relative', false)).toBe(expected);
});

describe('what has a host or a size that no browser opens has no target', () => {
  const host = `é${'a.'.repeat(200)}example`;
  const escaped = '%61'.repeat(200);
  test.each([
    ['of letters', `https://${host}/`],
    ['behind a user', `https://a:b@${host}/`],
    ['of punycode', `https://xn--${'a9'.repeat(2000)}.example/`],
    ['of escapes', `https://${escaped}/`],
    ['behind one slash', `http:/${host}/`],
    ['behind backslashes', `http:\\\\${host}/`],
    ['without a scheme', `//${host}/`],
  ])('a host %s', (_, written) => {
    expect(target(written, BASE)).toBe('left alone: invalid-url');
  });

  test('a link of many megabytes', () => {
    const written = `https://a.example/${'&amp;a'.repeat(6_000_000)}`; // a pattern ran out of stack on it
    expect(target(written)).toBe('left alone: too-long');
  });

  test('a plain host that no name server knows', () => {
    const written = `https://${'a.'.repeat(200)}example/`;
    expect(target(written)).toBe('left alone: invalid-url');
  });
});

describe('targets over 8 KB are left alone', () => {
  const most = 8 * 1024;
  const origin = 'https://a.example/';
  const path = (length: number) => 'x'.repeat(length - origin.length);
  const short = baseOf(origin, Number.POSITIVE_INFINITY);
  const long = baseOf(`${origin}${path(most - 1)}/`, Number.POSITIVE_INFINITY);
  test.each<[string, string, Base | SkipReason]>([
    ['as they are', `${origin}${path(most)}`, 'relative'],
    ['resolved', path(most), short],
    ['resolved by a long base', 'x', baseOf(`${origin}${path(most - 2)}/`, most * 2)],
  ])('%s: not yet', (_, written, base) => {
    expect(target(written, base)).toHaveLength(most);
  });
  test.each<[string, string, Base | SkipReason]>([
    ['as they are', `${origin}${path(most + 1)}`, 'relative'],
    ['percent-encoded', `${origin}${'ü'.repeat(most / 6)}`, 'relative'],
    ['resolved', path(most + 1), short],
    ['resolved by a long base', 'xy', long],
    ['with a base that is too long', '/x', baseOf(`${origin}${path(most + 1)}`, 1e6)],
  ])('%s', (_, written, base) => {
    expect(target(written, base)).toBe('left alone: too-long');
  });
});

test('a browser arrives where the original link led, if anywhere, and the target is ASCII without spaces', () => {
  const odd = fc.constantFrom(
    ...[
      '@',
      ':',
      ':80',
      '/',
      '\\',
      '?',
      '#',
      '.',
      '..',
      '%',
      '%41',
      '%zz',
      '|',
      '[::1]',
      'xn--',
      'a',
    ],
    ...[
      '\0',
      '\x01',
      '\t',
      ' ',
      '\x7f',
      '\x85',
      '\u00ad',
      '\u200d',
      '\ufeff',
      '\ud800',
      'é',
      'e\u0301',
      '１',
      'א',
      '。',
    ],
  );
  const piece = fc.oneof(odd, fc.string({ unit: 'grapheme', maxLength: 5 }));
  const pieces = fc.array(piece, { maxLength: 5 }).map((all) => all.join(''));
  const start = fc.constantFrom(
    'https://',
    'https://a.example/',
    'HTTP://',
    'http:',
    '//',
    '/',
    '',
  );
  const base = fc.constantFrom(BASE, 'relative' as const);
  fc.assert(
    fc.property(start, pieces, pieces, base, (scheme, host, rest, resolvedBy) => {
      const written = `${scheme}${host}/${rest}`;
      const found = targetOf(written, resolvedBy, true);
      const url = typeof resolvedBy === 'string' ? undefined : resolvedBy.url;
      if (found === 'invalid-url') {
        expect(() => new URL(written, url)).toThrow();
      }
      if (typeof found === 'string') {
        return;
      }
      expect(found.target).toMatch(/^[!-~]*$/);
      expect(new URL(found.target).href).toBe(new URL(written, url).href);
      expect(new URL(found.target).host).toBe(found.host);
    }),
    { numRuns: 1500 },
  );
});

test('a host of latin1 letters is none less after thousands', () => {
  for (let i = 0; i < 20_000; i++) {
    expect(target('//bücher.example/', BASE)).toBe('https://xn--bcher-kva.example/');
  }
});

test('a host that is taken as it is written is one that a browser takes so', () => {
  const label = fc.stringMatching(/^[a-z0-9.-]{0,6}$/);
  fc.assert(
    fc.property(fc.array(label, { minLength: 1, maxLength: 4 }), (labels) => {
      const written = `https://${labels.join('.')}/x`;
      const found = targetOf(written, 'relative', true);
      if (found === 'placeholder') {
        return; // as `-x`, which no name server knows
      }
      const host = URL.canParse(written) ? new URL(written).host : undefined;
      expect(typeof found === 'object' ? found.host : undefined).toBe(host);
    }),
    { numRuns: 1000 },
  );
});
