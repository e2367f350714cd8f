import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { appendQuery, parseAppendQuery } from '../../src/lib/append-query.ts';

const nothing = {
  campaign_id: undefined,
  link_name: undefined,
  pathway: undefined,
  message_id: undefined,
};

describe('what is appended', () => {
  test.each([
    // the URL, the template, the result
    ['https://a.example', 'x=1', 'https://a.example?x=1'],
    ['https://a.example/', 'x=1&y=2', 'https://a.example/?x=1&y=2'],
    ['https://a.example/?', 'x=1', 'https://a.example/?x=1'],
    ['https://a.example/?b=%E4+*&', 'x=1', 'https://a.example/?b=%E4+*&x=1'],
    ['https://a.example/?b', 'x=1', 'https://a.example/?b&x=1'],
    ['https://a.example/#top', 'x=1', 'https://a.example/?x=1#top'],
    ['https://a.example/?b=1#/a?x=2#', 'x=1', 'https://a.example/?b=1&x=1#/a?x=2#'],
    ['https://a.example/#?x=2', 'x=1', 'https://a.example/?x=1#?x=2'],
    ['https://a.example/', 'x=a/b?c=d;e%20f', 'https://a.example/?x=a/b?c=d;e%20f'],
    // a parameter that is there
    ['https://a.example/?x=2', 'x=1&y=2', 'https://a.example/?x=2&y=2'],
    ['https://a.example/?x=2', 'x=1', 'https://a.example/?x=2'],
    ['https://a.example/?x', 'x=1', 'https://a.example/?x'],
    ['https://a.example/?X=2', 'x=1', 'https://a.example/?X=2'],
    ['https://a.example/?%75tm=2', 'utm=1', 'https://a.example/?%75tm=2'],
    ['https://a.example/?b=1;x=2', 'x=1', 'https://a.example/?b=1;x=2'],
    ['https://a.example/?b=1&amp;x=2', 'x=1', 'https://a.example/?b=1&amp;x=2'],
    ['https://a.example/?b=x&xx=1', 'x=1', 'https://a.example/?b=x&xx=1&x=1'],
    ['https://a.example/?%zz=%', 'x=1', 'https://a.example/?%zz=%&x=1'],
    // values
    [
      'https://a.example/',
      'c={campaign_id}',
      'https://a.example/?c=A%26b%3D%20%23%C3%BC%F0%9F%98%80',
    ],
    ['https://a.example/', 'c={link_name}&x=1', 'https://a.example/?x=1'],
    ['https://a.example/', 'c={pathway}', 'https://a.example/'],
    [
      'https://a.example/',
      'c=-{message_id}-{message_id}',
      'https://a.example/?c=-%0D%0A%EF%BF%BD-%0D%0A%EF%BF%BD',
    ],
    // what only a damaged record says
    ['https://a.example/', 'c={subject}', 'https://a.example/'],
    ['https://a.example/', 'c={constructor}', 'https://a.example/'],
    ['https://a.example/', 'c={__proto__}&x=1', 'https://a.example/?x=1'],
    ['https://a.example/', 'x='.padEnd(129, '1'), 'https://a.example/'],
  ])('%s and %s: %s', (url, template, expected) => {
    const values = {
      campaign_id: 'A&b= #ü😀',
      link_name: undefined,
      pathway: '',
      message_id: '\r\n\ud800',
    };
    expect(appendQuery(url, template, values)).toBe(expected);
  });

  test('long values are cut', () => {
    const values = { ...nothing, pathway: 'p'.repeat(10_000) };
    expect(appendQuery('https://a.example/', 'p={pathway}', values)).toBe(
      `https://a.example/?p=${'p'.repeat(256)}`,
    );
  });

  test('browsers and servers see the parameters of the URL first, and then those that it lacked', () => {
    const name = fc.constantFrom('utm_source', 'id', 'a', 'b');
    const unit = fc.constantFrom(...'aZ0 &=+?#%/;"\u00fc\u{1f600}');
    const value = fc.string({ unit, maxLength: 20 });
    const url = fc
      .tuple(
        fc.constantFrom('', '/', '/a?', '/?x', '/%e4/?b=%zz&'),
        fc.constantFrom('', '#', '#a?b=1#'),
      )
      .map(([path, fragment]) => `https://a.example${path}${fragment}`);
    const query = fc.array(fc.tuple(name, value), { maxLength: 4 });
    const template = fc.uniqueArray(name, { minLength: 1 });
    fc.assert(
      fc.property(url, query, template, value, (base, pairs, names, campaign) => {
        const before = new URL(base);
        for (const [key, text] of pairs) before.searchParams.append(key, text);
        const written = names.map((key) => `${key}=${key}{campaign_id}`).join('&');
        const values = { ...nothing, campaign_id: campaign };
        const after = new URL(appendQuery(before.href, written, values));
        const known = new Set([...before.searchParams.keys()].map((key) => key.toLowerCase()));
        const lacked = names.filter((key) => !known.has(key));
        expect([...after.searchParams]).toEqual([
          ...before.searchParams,
          ...(campaign === '' ? [] : lacked.map((key) => [key, key + campaign])),
        ]);
        expect(after.search.startsWith(before.search)).toBe(true);
        for (const parsed of [before, after]) parsed.search = '';
        expect(after.href).toBe(before.href);
      }),
    );
  });
});

describe('a template', () => {
  test.each([
    '',
    'utm_source=news',
    'utm_source=news&utm_campaign={campaign_id}&utm_content={link_name}-{pathway}&m={message_id}',
    "a.b~c-d=1:2/3?4@5!$'()*+,;=&e=%c3%BC",
    'a=',
    'x='.padEnd(128, '1'),
  ])('%j is right', (text) => {
    expect(parseAppendQuery(text)).toBe(text);
  });

  test.each([
    '?a=1',
    '&a=1',
    'a=1&',
    'a=1&&b=2',
    'a',
    '=1',
    'a=1#b',
    'a=1 2',
    'a=ü',
    'a=1\r\n',
    'a="1"',
    'a=%2',
    'a=%zz',
    '{campaign_id}=1',
    'a={campaign_id',
    'a=}',
    'a={}',
    'x='.padEnd(129, '1'),
  ])('%j is not', (text) => {
    expect(parseAppendQuery(text)).toBeUndefined();
  });

  test.each([
    [
      'a={campaign}',
      'has {campaign}: expected one of {campaign_id}, {link_name}, {pathway}, {message_id}',
    ],
    ['a=1&b=2&a=3', 'has the parameter "a" twice'],
  ])('%j %s', (text, reason) => {
    expect(() => parseAppendQuery(text)).toThrow(new RangeError(reason));
  });
});
