import type { HeaderField } from '../../src/message/header-fields.ts';
import { openMessage } from '../../src/message/open-message.ts';
import { DEFAULT_LIMITS } from '../../src/message/reading-options.ts';
import type { Load, Product } from './growth.ts';

/** A message that is read and rewritten. */
interface Message {
  readonly headers: readonly HeaderField[];
  readonly body: string;
  readonly excludeSelectors?: readonly string[];
  readonly exclude?: (target: string) => boolean;
}

const field = (name: string, value: string): HeaderField => ({ name, value });
const type = (value: string) => [field('Content-Type', value)];
const html = (body: string): Message => ({ headers: type('text/html; charset=utf-8'), body });
const list = (count: number, item: (index: number) => string) =>
  Array.from({ length: Math.ceil(count) }, (_, index) => item(index)).join('');

/** About 100 KB for an `n` of 10,000. */
const MESSAGES: Readonly<Record<string, (n: number) => Message>> = {
  'base × links': (n) =>
    html(`<base href="http://a.example/${'x'.repeat(n / 2)}/">${'<a href=y>\r\n'.repeat(n)}`),
  'base below the bound of a target × links': (n) =>
    html(`<base href="http://a.example/${'x'.repeat(4000)}/">${'<a href=y>\r\n'.repeat(n)}`),
  'base × parts': (n) => ({
    headers: type('multipart/mixed; boundary=b'),
    body: list(
      n / 20,
      () =>
        `--b\r\nContent-Type: text/html\r\n\r\n<base href="http://a.example/${'x'.repeat(100)}/"><a href=y>\r\n`,
    ),
  }),
  'marks × links': (n) =>
    html(list(n / 20, (i) => `<a ${'data-msys-x=1 '.repeat(20)}href=https://a.example/${i}>\r\n`)),
  'marks × one link': (n) => html(`<a ${'data-msys-x=1 '.repeat(n)}href=https://a.example/>`),
  'name × links': (n) =>
    html(
      `${list(n / 20, (i) => `<a data-msys-linkname="${'n'.repeat(100)}" href="https://a.example/${i}">\r\n`)}`,
    ),
  'opted-out targets × links': (n) =>
    html(
      list(n / 20, (i) => `<a clicktracking=off href=https://a.example/${i}>\r\n`) +
        list(n / 20, (i) => `<a href=https://a.example/${i}>\r\n`),
    ),
  'entities × links': (n) =>
    html(list(n / 50, (i) => `<a href="https://a.example/${i}?${'&amp;x'.repeat(60)}">`)),
  'entities × one link': (n) => html(`<a href="https://a.example/?${'&#x61;'.repeat(n * 2)}">`),
  'labels × one host': (n) => ({
    ...html(list(n / 800, () => `<a href="https://${'a.'.repeat(4000)}example/">`)),
    exclude: () => false,
  }),
  'exclude_urls × length': (n) => ({
    ...html(list(n / 800, (i) => `<a href="https://a.example/${i}${'a/'.repeat(3000)}">`)),
    exclude: (target) => target.includes('aaaaaaaab'),
  }),
  'selectors × siblings': (n) => ({
    ...html(list(n / 5, (i) => `<div></div><a href=https://a.example/${i}>x</a>`)),
    excludeSelectors: ['.x ~ div ~ a'],
  }),
  'selectors × depth': (n) => ({
    ...html(
      `${'<div>'.repeat(Math.min(450, n / 20))}${'<a href=https://a.example/></a>'.repeat(n / 10)}`,
    ),
    excludeSelectors: ['.x:has(.y) .z a', 'div:has(a + .q) a'],
  }),
  'selectors × what is too deep for them': (n) => ({
    ...html(
      `<a href=https://a.example/>${'<div>'.repeat(n)}${'<b x=1><i>'.repeat(n)}${'<table><tr><td>'.repeat(n)}`,
    ),
    excludeSelectors: ['.x .y'],
  }),
  'end tags × depth': (n) =>
    html(`<svg></svg>${'<div>'.repeat(Math.min(450, n / 20))}${'</x>'.repeat(n)}<a href=y>`),
  'attributes × one tag': (n) =>
    html(`<svg></svg><x ${list(n, (i) => `a${i} `)}><a href=https://a.example/>`),
  'formatting × paragraphs': (n) => html(`<svg></svg>${list(n / 8, (i) => `<b id=${i}><p>`)}`),
  'comments × links': (n) =>
    html(list(n / 20, (i) => `<!--[if mso]><a href="https://a.example/${i}">x</a><![endif]-->`)),
  'link texts × links': (n) =>
    html(list(n / 200, (i) => `<a href=https://a.example/${i}>${'<b>'.repeat(600)}`)),
  'link texts × unfinished tags': (n) =>
    html(`<a href=https://a.example/>${'<'.repeat(1972)}`.repeat(n / 100)),
  'attachments × lines': (n) => ({
    headers: type('multipart/mixed; boundary=b'),
    body: `${list(
      n / 1000,
      () =>
        `--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n${`${'A'.repeat(76)}\r\n`.repeat(1000)}`,
    )}--b\r\n\r\nhttps://a.example/\r\n--b--\r\n`,
  }),
  'parts × headers': (n) => ({
    headers: type('multipart/mixed; boundary=b'),
    body: list(n / 50, () => `--b\r\n${list(20, (i) => `X-${i}: y\r\n`)}\r\nx\r\n`),
  }),
  'parts × parameters': (n) => ({
    headers: type('multipart/mixed; boundary=b'),
    body: list(
      n / 50,
      () => `--b\r\nContent-Type: image/png; ${list(20, (i) => `name*${i}=x; `)}\r\n\r\nx\r\n`,
    ),
  }),
  'parameters × one header': (n) => ({
    headers: type('multipart/mixed; boundary=b'),
    body: `--b\r\nContent-Type: text/html; ${list(n, (i) => `p${i}=(x; `)}\r\n\r\n<a href=https://a.example/>`,
  }),
  'nested multiparts × boundaries': (n) => {
    const depth = Math.min(90, n / 100);
    const levels = list(
      depth,
      (i) => `--b${i}\r\nContent-Type: multipart/mixed; boundary="b${i + 1}"\r\n\r\n`,
    );
    return { headers: type('multipart/mixed; boundary=b0'), body: levels + '--b\r\n'.repeat(n) };
  },
  'ids × parts': (n) => ({
    headers: type(`multipart/related; boundary=b; start="<${'x'.repeat(Math.min(900, n / 10))}>"`),
    body: list(
      n / 100,
      (i) => `--b\r\nContent-Type: text/html\r\nContent-ID: <${i}>\r\n\r\n<a>\r\n`,
    ),
  }),
  'encoded words × headers': (n) => ({
    headers: [
      ...type('text/plain'),
      ...Array.from({ length: n / 100 }, () =>
        field(
          'List-Unsubscribe',
          list(50, (i) => `=?${i % 2 ? 'big5' : 'gbk'}?q?<https:/a/${i}>?= `),
        ),
      ),
    ],
    body: 'https://a.example/\r\n',
  }),
  'List-Unsubscribe × links': (n) => ({
    headers: [
      ...type('text/html'),
      field(
        'List-Unsubscribe',
        list(n / 20, (i) => `<https://a.example/${i}>, `),
      ),
    ],
    body: list(n / 20, (i) => `<a href=https://a.example/${i}>\r\n`),
  }),
  'commas × one List-Unsubscribe': (n) => ({
    headers: [...type('text/plain'), field('List-Unsubscribe', `https:${',;'.repeat(2 * n)}x`)],
    body: 'https://a.example/\r\n',
  }),
  'URIs × one List-Unsubscribe': (n) => ({
    headers: [...type('text/plain'), field('List-Unsubscribe', 'http:a '.repeat(n))],
    body: 'https://a.example/\r\n',
  }),
  'soft breaks × links': (n) => ({
    headers: type('text/plain; format=flowed; delsp=yes'),
    body: list(n / 2, (i) => `https: \r\n//a.exa \r\nmple/${i}\r\nx \r\n`),
  }),
  'edits × one line': (n) => html(list(n / 3, (i) => `<a href=https://a.example/${i}>`)),
  'edits × one line that grows too long': (n) =>
    html(`<a href="https://a.example/">${'x'.repeat(70)}`.repeat(n / 5)),
  'edits × quoted lines': (n) => ({
    headers: [...type('text/html'), field('Content-Transfer-Encoding', 'quoted-printable')],
    body: list(n / 3, (i) => `<a href=3Dhttps://a.example/${i}>=\r\n`),
  }),
  'placeholders × one link': (n) => html(`<a href="https://a.example/${'{{'.repeat(n)}">`),
  'placeholders × links': (n) =>
    html(list(n / 800, () => `<a href="https://a.example/${'{%[['.repeat(1000)}">`)),
};

function load({ headers, body, exclude, excludeSelectors = [] }: Message): Load {
  const bytes = Buffer.from(body, 'latin1');
  const header = headers.reduce((sum, { value }) => sum + value.length, 0);
  const all = bytes.length + header;
  const run = () => {
    const open = openMessage(headers, {
      limits: { ...DEFAULT_LIMITS, links: 1e6, parts: 1e6 },
      excludeSelectors,
      trackUrlText: false,
      ownDomains: new Set(['t.example']),
      ...(exclude && { exclude }),
    });
    for (let at = 0; at < bytes.length; at += 65_535) {
      open.write(bytes.subarray(at, at + 65_535));
    }
    // As long as a sealed link, which holds its target.
    const { body: after } = open
      .end()
      .rewrite(({ target }) => `https://t.example/${'t'.repeat(60 + (target.length * 4) / 3)}`);
    return header + (after?.reduce((sum, { length }) => sum + length, 0) ?? bytes.length);
  };
  return { bytes: all, maxOutput: (DEFAULT_LIMITS.growth + 1) * all + 64 * 1024, run };
}

/** A mail that is read and rewritten: each factor is a sender's. */
export const products: Readonly<Record<string, Product>> = Object.fromEntries(
  Object.entries(MESSAGES).map(([name, make]) => [name, (n) => load(make(n))]),
);
