import fc from 'fast-check';
import { expect, test } from 'vitest';
import { mayBeKnown, readKnown } from '../../src/message/known-parts.ts';
import { openMessage } from '../../src/message/open-message.ts';
import type { PartFound } from '../../src/message/top-parts.ts';
import { transferEncode } from '../helpers/transfer-encode.ts';

const encoded = (html: string) => transferEncode(Buffer.from(html), 'quoted-printable');

/** Reads an HTML part, and replaces its links. */
function rewrite(
  raw: Buffer,
  charset = 'utf-8',
  linkLimit = 10_000,
  subtype = 'html',
  urlAt = (index: number) => `https://t.example/${index}?a=${index}`,
) {
  const headers = [
    { name: 'Content-Type', value: `text/${subtype}; charset=${charset}` },
    { name: 'Content-Transfer-Encoding', value: 'quoted-printable' },
  ];
  const open = openMessage(headers, { limits: { links: linkLimit } });
  open.write(raw);
  const read = open.end();
  const { body = [], links } = read.rewrite((_, index) => urlAt(index));
  const html = read.html((_, index) => urlAt(index));
  return { reason: read.reason, links, html, body: Buffer.concat(body).toString('latin1') };
}

/** The same charset by a name by which no part is kept: the part is read as a whole. */
const asWhole = (raw: Buffer, linkLimit?: number) => rewrite(raw, 'unicode11utf8', linkLimit);

const OPTIONS = {
  limits: { links: 10_000 },
  excludeSelectors: [],
  trackUrlText: true,
  unsubscribeLinks: 'leave',
} as unknown as Parameters<typeof readKnown>[2];

function known(raw: Buffer, options = OPTIONS, more: Partial<PartFound> = {}) {
  const part = { part: 'html', encoding: 'quoted-printable', charset: 'utf-8' };
  const found = { ...part, ...more } as PartFound;
  return mayBeKnown(found, raw, options) ? readKnown(found, raw, options) : undefined;
}

let newsletters = 0;
const row = (text: string) =>
  `<tr>\r\n<td style="color:#123;padding:${'9'.repeat(80)}px">${text}</td></tr>\r\n`;

/** A newsletter like no other, with some rows of its own. */
function newsletter(rows: readonly string[]): (own: readonly string[], at: number) => string {
  const number = newsletters++;
  const link = (at: number) =>
    row(`<a href="https://a.example/${number}-${at}?b&amp;c=${at}">ä</a>`);
  const links = Array.from({ length: 24 }, (_, at) => link(at));
  const before = [...links.slice(0, 9), ...rows, ...links.slice(9)];
  return (own, at) =>
    `<!DOCTYPE html>\r\n${before.toSpliced(at, own.length, ...own).join('')}</table>\r\n`;
}

test('of the third instance, only what differs is read', () => {
  const instance = newsletter([]);
  const link = (text: string) =>
    row(`<p>Dear ${text},</p><a href="https://a.example/u?${text}">x</a>`);
  for (const name of ['Anna', 'Bartholomäus']) {
    expect(known(encoded(instance([link(name)], 3)))).toBeUndefined();
    rewrite(encoded(instance([link(name)], 3)));
  }
  const third = encoded(instance([link('Eve')], 3));
  const { scanned } = known(third) ?? {};
  expect(scanned?.candidates).toHaveLength(24);
  const written = scanned?.candidates.map(({ start, end }) => third.toString('latin1', start, end));
  expect(written?.[3]).toBe('https:/=\r\n/a.example/u?Eve');
  expect(rewrite(third)).toEqual(asWhole(third));
});

test('a part that is too large, another charset, or other marks are not those that are kept', () => {
  const instance = encoded(newsletter([])([], 0));
  rewrite(instance);
  rewrite(instance);
  expect(known(instance)).toBeDefined();
  expect(known(instance, { ...OPTIONS, unsubscribeLinks: 'track' })).toBeUndefined();
  expect(known(instance, { ...OPTIONS, trackUrlText: false })).toBeUndefined();
  expect(known(instance, { ...OPTIONS, excludeSelectors: ['.x'] })).toBeUndefined();
  expect(known(Buffer.concat([instance, Buffer.alloc(300_000)]))).toBeUndefined();
});

test('a part in UTF-16 is not kept: its characters are not its bytes', () => {
  const html = `<!-- href href -->\r\n${'<a href="https://a.example/">x</a>'.repeat(9)}`;
  const bytes = Buffer.from(html, 'utf16le').toString('latin1').replaceAll('\0', '=00');
  const raw = Buffer.from(`${bytes}<!-- href -->href href\r\n`, 'latin1');
  const first = rewrite(raw, 'utf-16le');
  expect(first.links).toHaveLength(9);
  rewrite(raw, 'utf-16le');
  expect(rewrite(raw, 'utf-16le')).toEqual(first);
});

test('a text part that is the same again is not read again', () => {
  const text = 'See https://a.example/text?a=b[[data-msys-clicktrack="0"]] and\r\n';
  const all = `${text.repeat(9)}<https+notrack://a.example/2> (https://a.example/ü)\r\n`;
  const read = (raw: Buffer, charset?: string) => rewrite(raw, charset, undefined, 'plain');
  const find = (raw: Buffer, found: Partial<PartFound>) =>
    known(raw, OPTIONS, { part: 'text', ...found });
  const raw = encoded(all);
  const first = read(raw, 'unicode11utf8');
  expect(find(raw, {})).toBeUndefined();
  read(raw);
  expect(find(raw, {})).toBeDefined();
  expect(find(raw, { part: 'html' })).toBeUndefined();
  expect(find(raw, { delSp: true })).toBeUndefined();
  expect(find(encoded(`${all}x`), {})).toBeUndefined();
  expect(read(raw)).toEqual(first);
  expect(rewrite(raw, 'utf-8', 9, 'plain').reason).toBe('too-many-links');
});

test('a message may grow by the same where a part is not read again', () => {
  const link = row(`<a href="https://growth.example/?${'='.repeat(60)}">x</a>`);
  const raw = encoded(newsletter(Array.from({ length: 200 }, () => link))([], 0));
  const read = (charset?: string) =>
    rewrite(raw, charset, undefined, 'html', (at) => `https://t.example/${'T'.repeat(9000 + at)}`);
  const whole = read('unicode11utf8');
  expect(whole.links.map(({ reason }) => reason)).toContain('growth');
  read();
  read();
  expect(known(raw)).toBeDefined();
  expect(read()).toEqual(whole);
});

test.each(['', '42', 'x=3D'])(
  '"%s" in the text of a known part is no escape, and ends no line',
  (url) => {
    const links = `<a href=3D https://a.example/1 \r\n><a href=https://a.example/2>${'x'.repeat(200)}\r\n`;
    const instance = encoded(newsletter([])([], 0)).toString('latin1');
    const raw = Buffer.from(links + instance, 'latin1');
    const read = (charset?: string) => rewrite(raw, charset, undefined, 'html', () => url).html;
    const whole = read('unicode11utf8');
    read();
    read();
    expect(known(raw)).toBeDefined();
    expect(read()).toBe(whole);
  },
);

test('the limit of links holds for the links of all pieces', () => {
  const instance = newsletter([]);
  const base = encoded(instance([], 0));
  rewrite(base);
  rewrite(base);
  const more = encoded(instance([row('<a href="https://a.example/more">x</a>').repeat(2)], 5));
  expect(known(more)?.scanned.tags).toBeGreaterThan(24);
  expect(rewrite(more, 'utf-8', 24).reason).toBe('too-many-links');
  expect(rewrite(more, 'utf-8', 25)).toEqual(asWhole(more, 25));
});

test.each([
  '<base href="https://b.example/"><a href="/x">y</a>',
  '<svg><a xlink:href="https://b.example/">y</a></svg>',
  '<!-- <a href="https://b.example/">y</a>',
  '<a title="',
  '<script>',
  '-----BEGIN PGP MESSAGE-----',
])('a part is read as a whole where the piece that differs has %s', (text) => {
  const instance = newsletter(['<a href="/relative">z</a>']);
  const base = encoded(instance([], 0));
  rewrite(base);
  rewrite(base);
  expect(known(encoded(instance([row('new')], 5)))).toBeDefined();
  const raw = encoded(instance([row(text)], 5));
  expect(known(raw)).toBeUndefined();
  expect(rewrite(raw)).toEqual(asWhole(raw));
});

test('a soft line break does not end the piece that differs', () => {
  const line = 'a href="https://b.example/9">z</p>\r\n';
  const instance = newsletter([`<p>${'y'.repeat(150)}\r\n${line}`]);
  const base = encoded(instance([], 0));
  rewrite(base);
  rewrite(base);
  const text = base.toString('latin1');
  const at = text.indexOf('a href=3D"https://b.example/9"');
  const before = text.slice(0, at).replace('yyy', 'new');
  const raw = Buffer.from(`${before}<=\r\n${text.slice(at)}`, 'latin1');
  expect(known(Buffer.from(`${before}\r\n${text.slice(at)}`))).toBeDefined();
  expect(asWhole(raw).links).toHaveLength(25);
  expect(rewrite(raw)).toEqual(asWhole(raw));
});

test('to search for where two parts agree again takes no longer than to read one', () => {
  const as = 'a'.repeat(400);
  const number = newsletters++;
  const link = (at: number) => `<a href=3D"https://a.example/${number}-${at}?x">y</a>\r\n`;
  const equal = `u${as}<i>\r\n${`${as}<i>\r\n`.repeat(3)}`;
  const part = (own: string) =>
    Buffer.from(Array.from({ length: 60 }, (_, at) => link(at) + equal + own).join(''), 'latin1');
  const kept = part(`aaab${as}<i>\r\n`.repeat(3));
  const instance = part(`${as}<i>\r\n`.repeat(2));
  rewrite(kept);
  rewrite(kept);
  expect(known(kept)).toBeDefined();
  const least = (read: () => unknown) =>
    Math.min(
      ...Array.from({ length: 5 }, () => {
        const start = process.cpuUsage().user;
        read();
        return process.cpuUsage().user - start;
      }),
    );
  const search = least(() => expect(known(instance)).toBeDefined());
  expect(search).toBeLessThan(
    5 *
      Math.max(
        2000,
        least(() => asWhole(instance)),
      ),
  );
});

/** Text that may change the meaning of what stands behind it, or before. */
const piece = fc.constantFrom(
  ...['x', '\r\n', '\n', ' \r\n', '<', '</', '>', '"', "'", '&amp;', 'ü', '=', '<!--', '-->', '<!'],
  ...['<a href="https://b.example/1?x&amp;y">', '<a href=https://b.example/ü>\r\n', '</a>\r\n'],
  ...[
    '<a href="/relative">',
    '<area href=" https://b.example/2 ">',
    '<base href="https://c.example/">',
  ],
  ...[
    '<a href="https://b.example/3" data-msys-clicktrack="0">',
    '<a data-msys-linkname="n"\r\n href="',
  ],
  ...[
    '<style>\r\n',
    '</style>\r\n',
    '<script>',
    '</script>\r\n',
    '<title>',
    '</title>',
    '<textarea>\n',
  ],
  ...[
    '<!--[if mso]>\r\n<a href="https://b.example/4">\r\n<![endif]-->\r\n',
    '<svg>',
    '<plaintext>',
  ],
  ...['-----BEGIN PGP MESSAGE-----\r\n', '<a href="https+notrack://b.example/5">', 'x'.repeat(200)],
  ...[row(''), row('<a href="https://b.example/6" class="untracked">'), row('<img alt="a > b">')],
);
const pieces = fc.array(piece, { maxLength: 4 }).map((all) => all.join(''));
const rows = fc.array(pieces, { maxLength: 2 });
/** Bytes that quoted-printable may have, and no sender should write. */
const odd = fc.constantFrom('', '', '', '=', '=4', '= \r\n', '=0A', '=3C', '\t\r\n', '=\r\n');

test('an instance of a part that is kept is read as it would be as a whole', () => {
  let reused = 0;
  fc.assert(
    fc.property(
      ...[rows, rows, rows],
      ...[fc.nat(24), fc.nat(24), odd, fc.nat(5000), fc.boolean()],
      (common, first, second, one, other, oddity, place, isCut) => {
        const instance = newsletter(common);
        const base = encoded(instance(first, one));
        rewrite(base);
        rewrite(base);
        const whole = encoded(instance(second, other)).toString('latin1');
        const changed = `${whole.slice(0, place)}${oddity}${whole.slice(place, isCut ? -place : undefined)}`;
        const raw = Buffer.from(changed, 'latin1');
        const expected = asWhole(raw);
        reused += known(raw) === undefined ? 0 : 1;
        expect(rewrite(raw)).toEqual(expected);
      },
    ),
    { numRuns: 40 },
  );
  expect(reused).toBeGreaterThan(0);
});
