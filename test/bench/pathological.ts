import type { Message } from './recording.ts';

/** Messages of about so many bytes, made to be slow to read, by what is wrong with them. */
export const PATHOLOGICAL: Readonly<Record<string, (size: number) => Message>> = {
  'runs of spaces': html((size) => `<p>${lines(' '.repeat(900), size)}</p>`),
  'one line of spaces, quoted-printable': html((size) => ' '.repeat(size), 'quoted-printable'),
  'one line of spaces': html((size) => `<p>${' '.repeat(size)}</p>`),
  'soft line breaks': html((size) => '=\r\n'.repeat(size / 3), 'quoted-printable'),
  '<a repeated': html((size) => '<a '.repeat(size / 3)),
  '<a href=" repeated': html((size) => '<a href="'.repeat(size / 9)),
  'one tag of many attributes': html((size) => `<a ${counted((i) => `a${i}="${i}" `, size)}>`),
  'many links': html((size) =>
    counted((i) => `<a href="http://a.example/${i}">${i}</a>\r\n`, size),
  ),
  'many links, base64': html(
    (size) => base64(counted((i) => `<a href="http://a.example/${i}">x</a>`, (size * 3) / 4)),
    'base64',
  ),
  'deep nesting': html((size) => '<div>'.repeat(size / 5)),
  'comments never closed': html((size) => '<!-- <a href="http://a.example/">'.repeat(size / 33)),
  'conditional comments': html((size) =>
    '<!--[if mso]><a href="http://a.example/">'.repeat(size / 41),
  ),
  'entities in one link': html((size) => `<a href="http://a.example/${'&amp'.repeat(size / 4)}">`),
  'URL after URL in text': text((size) => 'http://'.repeat(size / 7)),
  'URL after URL in one that is not ASCII': text(
    (size) => `http://a.example/${utf8('ж')}${'://a/'.repeat(size / 5)}`,
  ),
  'a long host that is not ASCII': html(
    (size) => `<a href="http://a${utf8('\u0301\u0327').repeat(size / 4)}.example/">`,
  ),
  'many URLs in text': text((size) => counted((i) => `http://a.example/${i} `, size)),
  'brackets after a URL': text(
    (size) => `http://a.example/${'('.repeat(size / 2)}${')'.repeat(size / 2)}`,
  ),
  'commas after a URL': text((size) => `http://a.example/${','.repeat(size)}`),
  'endless boundaries': multipart((size) => '--b\r\n'.repeat(size / 5)),
  'almost boundaries': multipart((size) => '--\r\n'.repeat(size / 4)),
  'part headers without end': multipart((size) => `--b\r\n${'X: y\r\n'.repeat(size / 6)}`),
  'a folded header without end': multipart((size) => `--b\r\nX: y\r\n${' y\r\n'.repeat(size / 4)}`),
  'nested multiparts': multipart((size) =>
    counted(
      (i) => `--${i || 'b'}\r\nContent-Type: multipart/mixed; boundary=${i + 1}\r\n\r\n`,
      size,
    ),
  ),
};

function html(content: (size: number) => string, encoding = '8bit') {
  return single('text/html', content, encoding);
}

function text(content: (size: number) => string) {
  return single('text/plain', content, '8bit');
}

function single(type: string, content: (size: number) => string, encoding: string) {
  return (size: number) => message(`${type}; charset=utf-8`, content(size), encoding);
}

function multipart(content: (size: number) => string) {
  return (size: number) => message('multipart/mixed; boundary=b', content(size), '8bit');
}

function message(type: string, content: string, encoding: string): Message {
  return {
    headers: [
      { name: 'From', value: 'The Shop <news@shop.example>' },
      { name: 'MIME-Version', value: '1.0' },
      { name: 'Content-Type', value: type },
      { name: 'Content-Transfer-Encoding', value: encoding },
    ],
    body: Buffer.from(`${content}\r\n`, 'latin1'),
  };
}

/** As bytes, one latin1 character each. */
function utf8(content: string): string {
  return Buffer.from(content).toString('latin1');
}

/** Pieces with a running number, as many as fit. */
function counted(piece: (index: number) => string, size: number): string {
  const pieces: string[] = [];
  for (let i = 0, length = 0; length < size; i++) {
    pieces.push(piece(i));
    length += pieces.at(-1)?.length ?? 0;
  }
  return pieces.join('');
}

function lines(line: string, size: number): string {
  return `${line}\r\n`.repeat(size / (line.length + 2));
}

function base64(content: string): string {
  return Buffer.from(content).toString('base64').replace(/.{76}/g, '$&\r\n');
}
