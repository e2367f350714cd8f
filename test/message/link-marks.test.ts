import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { scanHtml } from '../../src/message/html-links.ts';
import { MARKS } from '../../src/message/link-marks.ts';
import { openMessage } from '../../src/message/open-message.ts';
import { DEFAULT_LIMITS, type MessageOptions } from '../../src/message/reading-options.ts';

/** A link with a mark, as an HTML part has it. */
function marked(mark: (typeof MARKS)[number]): string {
  const isUrl = mark.place === 'scheme' || mark.place === 'query';
  return isUrl
    ? `<a href="${mark.example}">x</a>`
    : `<a ${mark.example} href="https://example.com/">x</a>`;
}

function read(type: string, body: string, options: MessageOptions = {}) {
  const open = openMessage([{ name: 'Content-Type', value: type }], options);
  open.write(Buffer.from(body));
  return open.end();
}

const rewritten = (type: string, body: string) =>
  Buffer.concat(
    read(type, body).rewrite(() => 'https://t.example/T').body ?? [Buffer.from(body)],
  ).toString();

describe.each(MARKS.map((mark) => [mark.example, mark] as const))('%s', (_, mark) => {
  test('does what it says', () => {
    const [link] = read('text/html', marked(mark)).links;
    const value = /"(.*)"/.exec(mark.example)?.[1];
    switch (mark.means) {
      case 'opted-out':
      case 'unsubscribe':
        expect(link?.reason).toBe(mark.means);
        break;
      default:
        expect(link?.reason).toBe(undefined);
        expect(link?.[mark.means]).toBe(value);
    }
  });

  test('is removed if it is ours, and stays if not', () => {
    const html = rewritten('text/html', marked(mark));
    const sign = mark.place === 'scheme' ? mark.name : mark.example;
    expect(html.includes(sign)).toBe(mark.isRemoved !== true);
  });

  test('is in the documentation', () => {
    const page = readFileSync(new URL('../../docs/marks.md', import.meta.url), 'utf8');
    expect(page).toContain(`| ${mark.vendor} | \`${mark.example}\` | ${effect(mark)} |`);
  });
});

/** Names and values of marks that switch tracking off may be written in any case. */
const OPTING_OUT = MARKS.filter(({ means }) => means === 'opted-out' || means === 'unsubscribe');

test.each(OPTING_OUT.map((mark) => [mark.example, mark] as const))('%s in capitals', (_, mark) => {
  const capitals = marked({ ...mark, example: mark.example.toUpperCase() });
  expect(read('text/html', capitals).links[0]?.reason).toBe(mark.means);
});

function effect({ means, isRemoved }: (typeof MARKS)[number]): string {
  const what = {
    'opted-out': 'not tracked',
    unsubscribe: 'an unsubscribe link: not tracked unless `unsubscribe_links = track`',
    name: 'the name of the link in events',
    sublink: 'path before the token, for links into apps',
  }[means];
  return isRemoved ? `${what}; removed` : what;
}

test('the documentation has no mark that is not known', () => {
  const page = readFileSync(new URL('../../docs/marks.md', import.meta.url), 'utf8');
  expect(page.match(/^\| .* \| `.*` \| .* \|$/gm)).toHaveLength(MARKS.length);
});

describe('unsubscribe links that are tracked', () => {
  const url = 'https://example.com/leave';
  const mark = 'data-msys-unsubscribe="1"';
  const track = { unsubscribeLinks: 'track' } as const;
  const said = (type: string, body: string, options: MessageOptions = {}) =>
    read(type, body, { ...track, ...options }).links.map(({ reason, unsubscribe }) => {
      return reason ?? (unsubscribe ? 'unsubscribe link' : 'link');
    });
  const anchor = (attributes: string, href = url) => `<a ${attributes} href="${href}">x</a>`;

  test.each([
    ['text/html', anchor(mark), ['unsubscribe link']],
    ['text/html', anchor('data-msys-unsubscribe="0"'), ['link']],
    ['text/html', anchor(mark, '{{leave}}') + anchor(''), ['placeholder', 'link']],
    ['text/html', anchor(mark, '/leave') + anchor(mark), ['relative', 'unsubscribe link']],
    ['text/html', anchor(`${mark} data-msys-clicktrack="0"`), ['opted-out']],
    ['text/html', anchor(`${mark} disable-tracking="true"`), ['opted-out']],
    ['text/html', anchor(mark, 'mailto:leave@example.com'), ['scheme']],
    ['text/html', anchor(mark, 'https://own.example/x'), ['own-domain']],
    ['text/html', anchor(`${mark} class="no"`), ['excluded-selector']],
    ['text/html', anchor('') + anchor(mark), ['unsubscribe link', 'unsubscribe link']],
    ['text/html', anchor('', 'https://example.com/') + anchor(mark), ['link', 'unsubscribe link']],
    ['text/plain', `Leave: ${url}[[${mark}]]`, ['unsubscribe link']],
    ['text/plain', `Leave: ${url}[[data-msys-unsubscribe="0"]]`, ['link']],
    ['text/plain', `<ftp://x.example/${url}>[[${mark}]]`, ['scheme']],
  ])('%s: %s', (type, body, expected) => {
    const options = { ownDomains: new Set(['own.example']), excludeSelectors: ['.no'] };
    expect(said(type, body, options)).toEqual(expected);
  });

  test('in both parts, where one of them has the mark; which goes from the message', () => {
    const headers = [{ name: 'Content-Type', value: 'multipart/alternative; boundary=b' }];
    const open = openMessage(headers, track);
    open.write(
      Buffer.from(
        `--b\r\n\r\nLeave: ${url}\r\n--b\r\nContent-Type: text/html\r\n\r\n${anchor(mark)}\r\n--b--\r\n`,
      ),
    );
    const { links, rewrite } = open.end();
    expect(links.map(({ part, unsubscribe }) => [part, unsubscribe])).toEqual([
      ['text', true],
      ['html', true],
    ]);
    const body = Buffer.concat(rewrite(() => 'https://t.example/T').body ?? []).toString();
    expect(body).toContain('Leave: https://t.example/T\r\n');
    expect(body).toContain('<a href="https://t.example/T">x</a>');
  });

  test('the mark counts before List-Unsubscribe, which other links obey', () => {
    const headers = [
      { name: 'Content-Type', value: 'text/html' },
      { name: 'List-Unsubscribe', value: `<${url}>, <${url}?2>` },
    ];
    const open = openMessage(headers, track);
    open.write(Buffer.from(anchor(mark) + anchor('', `${url}?2`)));
    expect(open.end().links).toMatchObject([{ unsubscribe: true }, { reason: 'unsubscribe' }]);
  });

  test('the mark counts before List-Unsubscribe in the part without the mark, too', () => {
    const headers = [
      { name: 'Content-Type', value: 'multipart/alternative; boundary=b' },
      { name: 'List-Unsubscribe', value: `<${url}>` },
    ];
    const open = openMessage(headers, track);
    open.write(
      Buffer.from(
        `--b\r\n\r\nLeave: ${url}\r\n--b\r\nContent-Type: text/html\r\n\r\n${anchor(mark)}\r\n--b--\r\n`,
      ),
    );
    const { links } = open.end();
    expect(links.map(({ unsubscribe, reason }) => reason ?? unsubscribe)).toEqual([true, true]);
  });
});

test.each([
  'mc:disable-tracking=""',
  'MC:Disable-Tracking',
  'clicktracking=off',
  'CLICKTRACKING=OFF',
  'clicktracking="false"',
  "disable-tracking='yes'",
  'disable-tracking',
  'class="btn untracked big"',
  'class=untracked',
  'class="\tuntracked\n"',
  'hstracking=false',
  'autotrack=" false "',
  'no_jumpurl=1',
  'no_jumpurl',
  'data-skip-click',
  'data-pm-no-track="true"',
])('%s: opted out', (attribute) => {
  const html = `<a ${attribute} href="https://example.com/">x</a>`;
  expect(read('text/html', html).links.map(({ reason }) => reason)).toEqual(['opted-out']);
});

test.each([
  'mc:disable-tracking="false"',
  'clicktracking="on"',
  'clicktracking',
  'disable-tracking="false"',
  'class="untracked-not"',
  'class="not-untracked"',
  'id="untracked"',
  'hstracking="true"',
  'autotrack="true"',
  'tracking="on"',
  'no_jumpurl="0"',
  'data-skip-click="false"',
  'data-msys-clicktrack="1"',
  'data-msys-unsubscribe="0"',
])('%s: not', (attribute) => {
  const html = `<a ${attribute} href="https://example.com/">x</a>`;
  expect(read('text/html', html).links.map(({ reason }) => reason)).toEqual([undefined]);
});

test.each([
  ['https://example.com/?no_jumpurl=1', 'opted-out'],
  ['https://example.com/?a=b&no_jumpurl=1&c', 'opted-out'],
  ['https://example.com/?no_jumpurl=10', undefined],
  ['https://example.com/no_jumpurl=1', undefined],
])('in text %s', (url, reason) => {
  expect(read('text/plain', `See ${url} here`).links.map((link) => link.reason)).toEqual([reason]);
});

test('xlink:href is a link within SVG only', () => {
  const hrefs = (html: string) => {
    const scanned = scanHtml(
      html,
      { excludeSelectors: [], trackUrlText: true, limits: DEFAULT_LIMITS },
      (start, end) => html.slice(start, end),
    );
    return typeof scanned === 'string' ? scanned : scanned.candidates.map(({ written }) => written);
  };
  expect(hrefs('<a xlink:href="https://a.example/1">x</a>')).toEqual([]);
  expect(hrefs('<svg></svg><a xlink:href="https://a.example/1">x</a>')).toEqual([]);
  expect(hrefs('<svg><foreignObject><a xlink:href="https://a.example/1">')).toEqual([]);
  expect(hrefs('<math><a xlink:href="https://a.example/1">')).toEqual([]);
  expect(hrefs('<!--[if mso]><a xlink:href="https://a.example/1"><![endif]-->')).toEqual([]);
  expect(hrefs('<svg><a xlink:href="https://a.example/1"/></svg>')).toEqual([
    'https://a.example/1',
  ]);
  expect(hrefs('<svg><g><a xlink:href="/1" href="/2">x')).toEqual(['/2']);
});
