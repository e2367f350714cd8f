import { readdirSync, readFileSync } from 'node:fs';
import { load } from 'cheerio';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { type HtmlOptions, scanHtml } from '../../src/message/html-links.ts';
import type { Read, Scanned } from '../../src/message/link.ts';
import { DEFAULT_LIMITS } from '../../src/message/reading-options.ts';

const outcome = (html: string, more: Partial<HtmlOptions> = {}, read?: Read) =>
  scanHtml(
    html,
    { excludeSelectors: [], trackUrlText: true, limits: DEFAULT_LIMITS, ...more },
    read ?? ((start, end) => html.slice(start, end)),
  );

function scan(html: string, more?: Partial<HtmlOptions>, read?: Read): Scanned {
  const scanned = outcome(html, more, read);
  if (typeof scanned === 'string') {
    throw new Error(scanned);
  }
  return scanned;
}

/** What the links lead to, in the order of the document. */
function hrefs(html: string): (string | undefined)[] {
  return scan(html).candidates.map(({ written }) => written);
}

describe('links a browser finds', () => {
  test.each([
    ['<a href="https://a.example/">x</a>', ['https://a.example/']],
    ["<A HREF='https://a.example/'>x</A>", ['https://a.example/']],
    ['<a href=https://a.example/?x=1&y=2>x</a>', ['https://a.example/?x=1&y=2']],
    ['<a href=https://a.example/>', ['https://a.example/']],
    ['<a\n\thref\r\n=\n"https://a.example/">x</a>', ['https://a.example/']],
    ['<a/href="https://a.example/"/>', ['https://a.example/']],
    ['<a class="b"href="https://a.example/">', ['https://a.example/']],
    ['<a href="https://a.example/" href="https://b.example/">', ['https://a.example/']],
    ['<area shape=rect href="https://a.example/">', ['https://a.example/']],
    ['<a title="a > b" href="https://a.example/">', ['https://a.example/']],
    [
      '<a href="https://a.example/?a=1&amp;b=2&copy=3&copy;&#x41;&#66">',
      ['https://a.example/?a=1&b=2&copy=3©AB'],
    ],
    ['<a href="https://a.example/?a=1&amp;amp;b=2&amp;">', ['https://a.example/?a=1&amp;b=2&']],
    ['<a href="https://a.example?b=1/2&amp;c">', ['https://a.example?b=1/2&c']],
    ['<a =x href="https://a.example/">', ['https://a.example/']],
    ['<a x="1"\'y href="https://a.example/">', ['https://a.example/']],
    ['</a x=">" ><a href="https://a.example/">', ['https://a.example/']],
    ['<svg><a href="https://a.example/"><text>x</text></a></svg>', ['https://a.example/']],
    ['<svg><a xlink:href="https://a.example/">x</a></svg>', ['https://a.example/']],
    ['<svg><style><a href="https://a.example/">x</a></style></svg>', ['https://a.example/']],
    ['<noscript><a href="https://a.example/">x</a></noscript>', ['https://a.example/']],
    ['<!-- --!><a href="https://a.example/">', ['https://a.example/']],
    ['<!--><a href="https://a.example/">', ['https://a.example/']],
    ['<![CDATA[ ><a href="https://a.example/">]]>', ['https://a.example/']],
    ['<table><a href="https://a.example/">x</a></table>', ['https://a.example/']],
    [
      '<script>if (a<b) "</scripty>"</script ><a href="https://a.example/">',
      ['https://a.example/'],
    ],
    [
      '<script><!-- <script></script> --></script><a href="https://a.example/">',
      ['https://a.example/'],
    ],
    ['<title><b></title><a href="https://a.example/">', ['https://a.example/']],
  ])('%s', (html, expected) => {
    expect(hrefs(html)).toEqual(expected);
  });
});

describe('what is no link', () => {
  test.each([
    '<a name="x">x</a>',
    '<link href="https://a.example/">',
    '<img src="https://a.example/">',
    '<form action="https://a.example/">',
    '<v:rect href="https://a.example/">',
    '<!-- <a href="https://a.example/"> -->',
    '<script><a href="https://a.example/"></script>',
    '<script><!-- <script></script><a href="https://a.example/"></script>',
    '<style><a href="https://a.example/"></style>',
    '<textarea><a href="https://a.example/"></textarea>',
    '<title><a href="https://a.example/"></title>',
    '<template><a href="https://a.example/"></template>',
    '<xmp><a href="https://a.example/"></xmp>',
    '<iframe><a href="https://a.example/"></iframe>',
    '<plaintext><a href="https://a.example/">',
    '<svg><![CDATA[<a href="https://a.example/">]]></svg>',
    '<a href="https://a.example/',
    '<a href="https://a.example/"',
    '< a href="https://a.example/">',
    '<abbr href="https://a.example/">',
    '<?a href="https://a.example/">',
    '<a data-href="https://a.example/">',
  ])('%s', (html) => {
    expect(hrefs(html)).toEqual([]);
  });
});

describe('conditional comments for Outlook', () => {
  test.each([
    [
      '<!--[if mso]><v:roundrect xmlns:v="urn:x" href="https://a.example/"><![endif]--><!--[if !mso]><!--><a href="https://b.example/">x</a><!--<![endif]-->',
      ['https://a.example/', 'https://b.example/'],
    ],
    ['<!--[if gte mso 9]><a href="https://a.example/">x</a><![endif]-->', ['https://a.example/']],
    ['<![if !mso]><a href="https://a.example/">x</a><![endif]>', ['https://a.example/']],
    ['<!-- [if mso]><a href="https://a.example/">x</a><![endif]-->', []],
    ['<!--[if mso]><style><a href="https://a.example/"></style><![endif]-->', []],
    [
      '<!--[if mso]><a href="https://a.example/<![endif]--><a href="https://b.example/">',
      ['https://b.example/'],
    ],
  ])('%s', (html, expected) => {
    expect(hrefs(html)).toEqual(expected);
  });
});

test('the first base with an href counts, wherever it stands', () => {
  expect(
    scan('<a href=x><base target=_blank><base href="https://a.example/?a&amp;b"><base href=b>')
      .base,
  ).toBe('https://a.example/?a&b');
  expect(
    scan('<!-- <base href="https://a.example/"> --><template><base href=b></template>').base,
  ).toBe(undefined);
});

describe('marks', () => {
  test.each([
    ['data-msys-clicktrack="0"', 'opted-out'],
    ['data-msys-clicktrack=1', undefined],
    ['data-msys-unsubscribe="1"', 'unsubscribe'],
    ['clicktracking="off"', 'opted-out'],
    ['CLICKTRACKING=OFF', 'opted-out'],
    ['clicktracking="on"', undefined],
    ['disable-tracking="true"', 'opted-out'],
    ['disable-tracking="false"', undefined],
    ['data-pm-no-track', 'opted-out'],
    ['ses:no-track', 'opted-out'],
    ['tracking="off"', 'opted-out'],
    ['data-mautic-disable-tracking="true"', 'opted-out'],
    ['mautic:disable-tracking="true"', 'opted-out'],
    ['data-other="off"', undefined],
  ])('%s', (mark, reason) => {
    const [link] = scan(`<a href="https://a.example/" ${mark}>x</a>`).candidates;
    expect(link?.reason).toBe(reason);
  });

  test.each([
    ['<a href="https://a.example/" data-msys-clicktrack="0">', '<a href="https://a.example/">'],
    ['<a data-msys-clicktrack="0" href="https://a.example/">', '<a href="https://a.example/">'],
    ['<a data-msys-linkname="x"href="https://a.example/">', '<a href="https://a.example/">'],
    ['<a href=https://a.example/ data-msys-sublink=x/>', '<a href=https://a.example/>'],
    ['<svg><a href="https://a.example/"/data-msys-x="1">', '<svg><a href="https://a.example/">'],
    ['<svg><a href="https://a.example/"/ data-msys-x="1">', '<svg><a href="https://a.example/"/ >'],
    ['<a title//data-msys-x href="https://a.example/">', '<a title href="https://a.example/">'],
    ['<a href=https://a.example data-msys-sublink="x"/>', '<a href=https://a.example />'],
    [
      '<a data-msys-a data-msys-b=1\n href="https+notrack://a.example/">',
      '<a\n href="https://a.example/">',
    ],
    ['<a href="HTTPS+NoTrack://a.example/">', '<a href="HTTPS://a.example/">'],
    ['<a name=x data-msys-linkname="y">', '<a name=x>'],
    // The `=` would become that of `name`.
    ['<a name data-msys-linkname="y" =z>', '<a name data-msys-linkname="y" =z>'],
    ['<a name data-msys-linkname=y\r\n=z>', '<a name data-msys-linkname=y\r\n=z>'],
    ['<a name data-msys-linkname="y"=z>', '<a name data-msys-linkname="y"=z>'],
    ['<a name data-msys-linkname="y" /=z>', '<a name /=z>'],
    ['<a name data-msys-a data-msys-linkname="y" z>', '<a name z>'],
    ['<a name=x\r\n \tdata-msys-linkname="y" title=z>', '<a name=x\r\n title=z>'],
    [
      '<a clicktracking=off href="https://a.example/">',
      '<a clicktracking=off href="https://a.example/">',
    ],
  ])('ours are taken out of %s', (html, expected) => {
    let result = html;
    for (const { start, end } of scan(html).marks.toReversed()) {
      result = result.slice(0, start) + result.slice(end);
    }
    expect(result).toBe(expected);
  });

  test('names and sublinks', () => {
    const html =
      '<a href="https://a.example/" data-msys-linkname="Shop &amp; more" data-msys-sublink="x/y">';
    expect(scan(html).candidates).toMatchObject([{ name: 'Shop & more', sublink: 'x/y' }]);
    const odd = '<a href="https://a.example/" data-msys-sublink=" a b/ü?#\\&quot;%20\ud800 ">';
    expect(scan(odd).candidates[0]?.sublink).toBe('a%20b/%C3%BC%3F%23%5C%22%20%EF%BF%BD');
    const percent = '<a href=x data-msys-sublink="%41/50%/%4 %é%">';
    expect(scan(percent).candidates[0]?.sublink).toBe('%41/50%25/%254%20%25%C3%A9%25');
    const long = `<a href=x data-msys-linkname="${'é'.repeat(40)}">`;
    expect(scan(long).candidates[0]?.name).toBe('é'.repeat(31));
  });

  test.each([
    ['x'.repeat(500), true],
    ['x'.repeat(501), false],
    ['é'.repeat(84), false],
    ['.well-known/acme-challenge', false],
    ['/.well-known/x', false],
    ['x/../../y', false],
    ['x/%2E./y', false],
    ['x%00y', false],
    ['x.y/z.', true],
  ])('a sublink that would lead nowhere is not used: %s', (value, used) => {
    const html = `<a href="https://a.example/" data-msys-sublink="${value}">`;
    const { candidates, marks } = scan(html);
    expect(candidates).toMatchObject([
      { written: 'https://a.example/', reason: undefined, sublink: used ? value : undefined },
    ]);
    expect(marks).toHaveLength(1);
  });
});

test.each([
  ['https://a.example/', 'url-text'],
  ['<b>www.a.example</b>', 'url-text'],
  ['a.example/path', 'url-text'],
  ['Visit a.example', undefined],
  ['<img src="https://a.example/x.png">', undefined],
])('the visible text %s, where URLs are not to be tracked', (text, reason) => {
  const html = `<a href="https://b.example/"> ${text} </a>https://c.example/`;
  expect(scan(html, { trackUrlText: false }).candidates[0]?.reason).toBe(reason);
  expect(scan(html).candidates[0]?.reason).toBe(undefined);
});

test('of too many links, those beyond the limit are not looked for', () => {
  const read = vi.fn(() => 'http://ä.example/');
  const html = '<a href="http://&auml;.example/"></a>'.repeat(5);
  expect(scan(html, { limits: { ...DEFAULT_LIMITS, links: 5 } }, read).candidates).toHaveLength(5);
  read.mockClear();
  expect(outcome(html, { limits: { ...DEFAULT_LIMITS, links: 2 } }, read)).toBe('too-many-links');
  expect(read).not.toHaveBeenCalled();
});

test.each([
  ['<a href=x>', 'too-many-links'],
  ['<a data-msys-linkname=x>', 'too-many-links'],
  ['<!--[if mso]><v:rect href=x><![endif]-->', 'too-many-links'],
  ['<a>', []],
  ['<a class=x name=y>', []],
  ['<!--[if mso]><v:rect><![endif]-->', []],
  ['<!-- x -->', []],
])('three of %s, where two links are allowed', (tag, expected) => {
  const found = outcome(tag.repeat(3), { limits: { ...DEFAULT_LIMITS, links: 2 } });
  expect(typeof found === 'string' ? found : found.candidates).toEqual(expected);
});

describe('selectors', () => {
  const html =
    '<div class="footer"><p><a href="https://a.example/">x</a></p></div><a id="b" href="https://b.example/">y</a>';
  test.each([
    [['.footer'], ['excluded-selector', undefined]],
    [['a#b'], [undefined, 'excluded-selector']],
    [
      ['.none', '.footer a', '#b'],
      ['excluded-selector', 'excluded-selector'],
    ],
    [['.none'], [undefined, undefined]],
  ])('%j', (excludeSelectors, reasons) => {
    const { candidates } = scan(html, { excludeSelectors });
    expect(candidates.map(({ reason }) => reason)).toEqual(reasons);
  });

  test('a document beyond the bounds is left alone', () => {
    const deep = `${'<div>'.repeat(600)}<a href="https://a.example/">`;
    expect(outcome(deep)).toHaveProperty('candidates');
    expect(outcome(deep, { excludeSelectors: ['.x'] })).toBe('html-too-complex');
    const long = `<a href="https://a.example/">${'x'.repeat(DEFAULT_LIMITS.selectorHtmlSize)}`;
    expect(outcome(long, { excludeSelectors: ['.x'] })).toBe('html-too-complex');
  });
});

/**
 * The reference: what cheerio finds with parse5, but for the contents of templates, which nobody sees, and with
 * scripts off, as they are in mail (so the contents of noscript are there). Reopened formatting (`<a><p></a>`)
 * gives several elements for one tag. Null characters are as in the attribute.
 */
function reference(html: string): { start: number; href: string }[] {
  const $ = load(html, { sourceCodeLocationInfo: true, scriptingEnabled: false });
  $('template')
    .filter((_, { namespace }) => namespace === 'http://www.w3.org/1999/xhtml')
    .remove();
  const found = new Map<number, string>();
  for (const element of $('a, area').get()) {
    const href = element.attribs['href'] ?? element.attribs['xlink:href'];
    const start = element.sourceCodeLocation?.startOffset;
    if (href !== undefined && start !== undefined) {
      found.set(start, href);
    }
  }
  return [...found].map(([start, href]) => ({ start, href })).sort((a, b) => a.start - b.start);
}

function compare(html: string): void {
  const found = scan(html).candidates.filter(({ start }) => !insideComment(html, start));
  const normal = (href: string) =>
    href.replace(/\r\n?/g, '\n').replace(/^[\t\n\f\r ]+|[\t\n\f\r ]+$/g, '');
  const expected = reference(html);
  expect(found.map(({ written }) => normal(written ?? ''))).toEqual(
    expected.map(({ href }) => normal(href)),
  );
  for (const [index, { start }] of found.entries()) {
    const tag = expected[index]?.start ?? 0;
    expect(start).toBeGreaterThan(tag);
    expect(start).toBeLessThan(expected[index + 1]?.start ?? html.length + 1);
  }
}

/** Links in conditional comments are for Outlook, not for browsers. */
function insideComment(html: string, at: number): boolean {
  return html.lastIndexOf('<!--[if', at) > html.lastIndexOf('-->', at);
}

test.each([
  ['.x ~ div ~ a', (n: number) => '<div></div><a href=https://a.example/>'.repeat(n)],
  ['div:has(.x ~ p) a', (n: number) => `<div>${'<p></p>'.repeat(n)}<a href=https://a.example/>`],
  ['a:nth-child(7)', (n: number) => '<a href=https://a.example/></a>'.repeat(n)],
  [
    'div:contains(y) a',
    (n: number) => `${'<div>'.repeat(300)}<a href=https://a.example/>${'x'.repeat(n * 30)}`,
  ],
])('the selector %s is given up where it takes too long', (selector, make) => {
  const selected = (n: number) => {
    const html = make(n);
    return outcome(html, { excludeSelectors: [selector] });
  };
  expect(selected(100)).toHaveProperty('candidates');
  expect(selected(5000)).toBe('html-too-complex');
});

describe('agreement with cheerio and parse5', () => {
  const folder = new URL('corpus/', import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith('.html.txt'));
  test.each(files)('corpus/%s', (name) => {
    compare(readFileSync(new URL(name, folder), 'latin1'));
  });

  const piece = fc.constantFrom(
    ...[
      '<',
      '>',
      '/',
      '=',
      '"',
      "'",
      ' ',
      '\n',
      '\t',
      '\r\n',
      '\f',
      '!',
      '-',
      '--',
      '?',
      '&',
      ';',
      'x',
      '\0',
    ],
    ...[
      '<a',
      '<a ',
      '<A href=',
      ' href="',
      " HREF='",
      ' href=x',
      'href',
      '</a>',
      '</a',
      '<area href=1>',
    ],
    ...['<!--', '-->', '--!>', '<!-->', '<![CDATA[', ']]>', '<!DOCTYPE html>', '<?', '</', '<!'],
    ...[
      '<script>',
      '</script>',
      '<script',
      '<style>',
      '</style>',
      '<title>',
      '</title>',
      '<textarea>',
    ],
    ...['</textarea>', '<xmp>', '</xmp>', '<noscript>', '</noscript>', '<iframe>', '</iframe>'],
    ...[
      '<noframes>',
      '</noframes>',
      '<noembed>',
      '</noembed>',
      '<p>',
      '</p>',
      '<b>',
      '</b>',
      '<table>',
    ],
    ...['</table>', '<tr>', '<td>', '<div>', '</div>', '<head>', '<body>', '</body>', '</html>'],
    ...[
      '&amp;',
      '&lt',
      '&copy=',
      '&#65',
      '&#x41;',
      'a',
      'b',
      'https://a.example/',
      'é',
      '<base href=b>',
    ],
  );
  const needingTree = fc.constantFrom(
    ...[
      '<svg>',
      '</svg>',
      '<math>',
      '</math>',
      '<mi>',
      '<select>',
      '</select>',
      '<option>',
      '<template>',
    ],
    ...[
      '</template>',
      '<frameset>',
      '<foreignObject>',
      '</foreignObject>',
      '<desc>',
      '<col>',
      '<svg/>',
    ],
  );
  const document = (parts: fc.Arbitrary<string>) =>
    fc.array(parts, { minLength: 1, maxLength: 40 }).map((pieces) => pieces.join(''));

  test('on random documents', () => {
    fc.assert(fc.property(document(piece), compare), { numRuns: 1000 });
  });

  test('on random documents with SVG, MathML, templates and selects', () => {
    const mixed = fc.oneof({ weight: 4, arbitrary: piece }, { weight: 1, arbitrary: needingTree });
    fc.assert(fc.property(document(mixed), compare), { numRuns: 500 });
  });
});
