import type { HeaderField } from '../../src/message/header-fields.ts';

/** A message in which two things that a sender chooses are about `n` each; its size is in proportion to `n`. */
export interface Product {
  readonly headers: readonly HeaderField[];
  readonly body: string;
  readonly excludeSelectors?: readonly string[];
  readonly exclude?: (target: string) => boolean;
}

const field = (name: string, value: string): HeaderField => ({ name, value });
const type = (value: string) => [field('Content-Type', value)];
const html = (body: string): Product => ({ headers: type('text/html; charset=utf-8'), body });
const list = (count: number, item: (index: number) => string) =>
  Array.from({ length: Math.ceil(count) }, (_, index) => item(index)).join('');

/** A message for each product of two factors, of about 100 KB for an `n` of 10,000. */
export const PRODUCTS: Readonly<Record<string, (n: number) => Product>> = {
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
  'end tags × depth': (n) =>
    html(`<svg></svg>${'<div>'.repeat(Math.min(450, n / 20))}${'</x>'.repeat(n)}<a href=y>`),
  'attributes × one tag': (n) =>
    html(`<svg></svg><x ${list(n, (i) => `a${i} `)}><a href=https://a.example/>`),
  'formatting × paragraphs': (n) => html(`<svg></svg>${list(n / 8, (i) => `<b id=${i}><p>`)}`),
  'comments × links': (n) =>
    html(list(n / 20, (i) => `<!--[if mso]><a href="https://a.example/${i}">x</a><![endif]-->`)),
  'link texts × links': (n) =>
    html(list(n / 200, (i) => `<a href=https://a.example/${i}>${'<b>'.repeat(600)}`)),
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
  'soft breaks × links': (n) => ({
    headers: type('text/plain; format=flowed; delsp=yes'),
    body: list(n / 2, (i) => `https: \r\n//a.exa \r\nmple/${i}\r\nx \r\n`),
  }),
  'edits × one line': (n) => html(list(n / 3, (i) => `<a href=https://a.example/${i}>`)),
  'edits × quoted lines': (n) => ({
    headers: [...type('text/html'), field('Content-Transfer-Encoding', 'quoted-printable')],
    body: list(n / 3, (i) => `<a href=3Dhttps://a.example/${i}>=\r\n`),
  }),
  'placeholders × one link': (n) => html(`<a href="https://a.example/${'{{'.repeat(n)}">`),
  'placeholders × links': (n) =>
    html(list(n / 800, () => `<a href="https://a.example/${'{%[['.repeat(1000)}">`)),
};
