import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { type ParserError, parse } from 'parse5';
import { afterAll, describe, expect, test } from 'vitest';
import { bestLanguage } from '../../src/redirect/languages.ts';
import { readOwnPages } from '../../src/redirect/own-pages.ts';
import { PAGES, type PageName, TEXTS } from '../../src/redirect/page-texts.ts';
import { Pages } from '../../src/redirect/pages.ts';

const names = Object.keys(PAGES) as PageName[];
const folder = mkdtempSync(join(tmpdir(), 'clickmilter-pages-'));
afterAll(() => rmSync(folder, { recursive: true }));

let made = 0;
function folderOf(files: Readonly<Record<string, string | Buffer>>): string {
  const path = join(folder, String(made++));
  mkdirSync(path);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}

describe('the language', () => {
  const some = ['en', 'de', 'fr', 'pt-br'];
  test.each([
    [undefined, undefined],
    ['', undefined],
    ['de', 'de'],
    ['de-AT,de;q=0.8,en;q=0.5', 'de'],
    ['DE-at', 'de'],
    ['zh-Hant-TW,zh;q=0.9', undefined],
    ['nl, fr;q=0.3, en;q=0.7', 'en'],
    ['de;q=0, fr;q=0.1', 'fr'],
    ['de ; q = 0.1 , fr', 'fr'],
    ['pt-BR', 'pt-br'],
    ['pt-PT', undefined],
    ['*', undefined],
    ['de;q=x, fr;q=9..9', undefined],
    ['<script>, en', 'en'],
    [`${'x,'.repeat(20)}de`, undefined],
  ])('of %j is %j', (header, language) => {
    expect(bestLanguage(header, some)).toBe(language);
  });

  test('is one of those that there are, whatever the header', () => {
    const header = fc.string({ unit: fc.constantFrom(...'de-fr,;q=0.1 *'), maxLength: 200 });
    fc.assert(
      fc.property(header, (text) => {
        expect([undefined, ...some]).toContain(bestLanguage(text, some));
      }),
    );
  });
});

describe.each(names)('the shipped page %s', (name) => {
  test.each(Object.keys(TEXTS))(
    'in %s is valid HTML, in its language, with strict headers',
    (language) => {
      for (const contact of [undefined, 'a"b&c\'d@x.example', 'https://x.example/?a=1&b="<i>"']) {
        const page = new Pages(contact === undefined ? {} : { contact }).find(name, language);
        const html = page.body.toString();
        const errors: ParserError[] = [];
        parse(html, { onParseError: (error) => errors.push(error), sourceCodeLocationInfo: true });
        expect(errors).toEqual([]);
        expect(html).toContain(`<html lang="${language}">`);
        expect(html).not.toMatch(/<(?:script|i|img|link|form)\b/i);
        expect(html.match(/<a /g)?.length ?? 0).toBeLessThan(2);
        expect(page.status).toBe(PAGES[name]);
        expect(page.headers).toMatchObject({
          'content-length': String(Buffer.byteLength(page.body)),
          'content-language': language,
          'content-type': 'text/html; charset=utf-8',
          'content-security-policy': expect.stringMatching(/^default-src 'none';/),
          'cache-control': 'no-store',
          'x-content-type-options': 'nosniff',
          'referrer-policy': 'no-referrer',
        });
      }
    },
  );
});

test('pages say whom to ask, where there is somebody', () => {
  const page = (contact: string, name: PageName) =>
    new Pages({ contact }).find(name, 'de').body.toString();
  expect(page('post+master@x.example', 'home')).toContain(
    '<p>Kontakt: <a href="mailto:post%2Bmaster@x.example">post+master@x.example</a></p>',
  );
  expect(page('https://x.example/?a&b', 'notFound')).toContain(
    '<a href="https://x.example/?a&#38;b">https://x.example/?a&#38;b</a>',
  );
  expect(page('a@x.example', 'unavailable')).not.toContain('<a ');
});

test('an own page goes before the shipped one: that of the language, else the one for all', () => {
  const pages = folderOf({
    '404.html': '<p>nothing',
    '404.de.html': '<p>nichts für dich',
    '410.pt-BR.html': '<p>desligado',
    'INDEX.HTML': '<p>hello',
    'readme.txt': 'ignored',
    '.#404.html': 'ignored',
    '._404.html': '',
  });
  const own = new Pages({ pages });
  const body = (name: PageName, language?: string) => own.find(name, language).body.toString();
  expect(body('notFound', 'de-CH')).toBe('<p>nichts für dich');
  expect(body('notFound', 'fr')).toBe('<p>nothing');
  expect(body('notFound')).toBe('<p>nothing');
  expect(body('blocked', 'pt-br,de')).toBe('<p>desligado');
  expect(body('blocked', 'de')).toContain(TEXTS.de.blocked[0]);
  expect(body('home', 'es')).toBe('<p>hello');
  expect(body('unavailable', 'es')).toContain(TEXTS.es.unavailable[0]);
  expect(own.find('notFound', 'de').headers).toMatchObject({
    'content-language': 'de',
    'content-length': '19',
    'content-security-policy': expect.stringMatching(/^default-src 'none';/),
  });
  expect(own.find('notFound', 'fr').headers).not.toHaveProperty('content-language');
  expect(own.find('unavailable', undefined)).toMatchObject({
    status: 503,
    headers: { 'retry-after': '30', 'content-language': 'en' },
  });
});

test.each<[string, Readonly<Record<string, string | Buffer>>, RegExp]>([
  ['without a page', { 'a.txt': 'x' }, /has no page: expected one of index.html, 404.html/],
  ['with a page of another name', { '404.html.de.html': 'x' }, /404.html.de.html: expected the na/],
  ['with a page of another status', { '500.html': 'x' }, /500.html: expected the name index, 404/],
  ['with a page named .htm', { '404.htm': 'x' }, /404.htm: expected the name/],
  ['with an empty page', { '404.html': '' }, /404.html has 0 bytes: expected 1 to 65536/],
  ['with a page too large', { '404.html': 'x'.repeat(65_537) }, /has 65537 bytes/],
  ['with a page in latin1', { '404.html': Buffer.from('f\xfcr', 'latin1') }, /is not in UTF-8/],
  [
    'with too many pages',
    Object.fromEntries(Array.from({ length: 201 }, (_, i) => [`404.x${i}.html`, 'x'])),
    /has more than 200 pages/,
  ],
])('a folder %s is refused', (_name, files, message) => {
  expect(() => readOwnPages(folderOf(files))).toThrow(message);
});

test('a folder that does not exist is refused', () => {
  expect(() => readOwnPages(join(folder, 'none'))).toThrow('ENOENT');
});
