import { createHash } from 'node:crypto';
import { link, type MarkedText, marked } from '../helpers/marked-message.ts';

/** A message to be sent, and how to find in the delivered one what must have changed and what must not. */
export interface SentMessage {
  readonly name: string;
  readonly raw: Buffer;
  /** Where its links lead, in order. */
  readonly targets: readonly string[];
  /** The URLs in the place of the links of the delivered message. @throws Error where anything else has changed */
  urlsIn(delivered: Buffer): string[];
}

const head = (subject: string) => `From: "News" <news@sender.test>
To: reader@example.net
Date: Mon, 1 Jan 2024 00:00:00 +0000
Message-Id: <${subject}@sender.test>
Subject: ${subject}
MIME-Version: 1.0
`;

const html = marked`<!DOCTYPE html>
<html><head><title>News</title><link rel="stylesheet" href="https://cdn.example/style.css">
<style>a { background: url(https://cdn.example/a.png) }</style></head>
<body>
<p>Hello, <a href="${link('https://shop.example/sale?a=1&amp;b=2', 'https://shop.example/sale?a=1&b=2')}">our sale</a>
and <A HREF='${link('http://shop.example/B/')}' class=x>another</A>, or unquoted
<a href=${link('https://shop.example/unquoted?q=%20x')}>here</a>.</p>
<img src="https://cdn.example/banner.png"><a
   href = "${link('HTTPS://Shop.Example/Upper#part')}">over several lines</a>
<map><area href="${link('https://shop.example/area')}"></map>
<a href="mailto:help@sender.test">mail</a> <a href="tel:+4912345">call</a> <a href="#top">top</a>
<!-- <a href="https://shop.example/comment">not for anybody</a> -->
<p>gr&uuml;&szlig;e &amp; more</p>
</body></html>
`;

const text = marked`Hello,

our sale: ${link('https://shop.example/sale?a=1&b=2')}
In brackets <${link('http://shop.example/in/brackets')}>, at the end ${link('https://shop.example/end')}.
(see ${link('https://shop.example/paren_(x)')}) and ftp://shop.example/no or help@sender.test

-- 
.a dot at the beginning
`;

/** Links that are in the quoted-printable HTML of the newsletter: with = as =3D. */
const qpHtml = marked`<html><body>=20
<p>Gr=C3=BC=C3=9Fe, <a href=3D"${link('https://shop.example/qp?a=3D1&amp;b=3D2', 'https://shop.example/qp?a=1&b=2')}">a link</a> and a line=
 that goes on <a class=3D"b" href=3D"${link('https://shop.example/second')}">second</a>.</p>
</body></html>=20
`;
const qpText = marked`Gr=C3=BC=C3=9Fe: ${link('https://shop.example/qp?a=3D1&b=3D2', 'https://shop.example/qp?a=1&b=2')} and then a long line=
 that is soft wrapped.
${link('https://shop.example/second')}

`;

/** 3 MB that no compression or luck makes smaller, the same each time. */
function attachment(): string {
  const blocks: Buffer[] = [];
  for (let n = 0; n < (3 * 1024 * 1024) / 64; n++) {
    blocks.push(createHash('sha512').update(String(n)).digest());
  }
  return base64Lines(Buffer.concat(blocks));
}

function base64Lines(bytes: Buffer): string {
  return bytes.toString('base64').replace(/.{1,76}/g, '$&\r\n');
}

/** A message all of whose text is readable on the wire. */
function readable(name: string, content: MarkedText): SentMessage {
  return {
    name,
    raw: Buffer.from(content.text, 'latin1'),
    targets: content.targets,
    urlsIn: (delivered) => content.urlsIn(delivered.toString('latin1')),
  };
}

export const htmlOnly = readable(
  'html',
  marked`${head('html')}Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: 7bit

${html}`,
);

export const textOnly = readable(
  'text',
  marked`${head('text')}Content-Type: text/plain; charset=utf-8

${text}`,
);

/** The newsletter, told from others by its subject. */
export const newsletter = (subject: string): SentMessage =>
  readable(
    'alternative',
    marked`${head(subject)}Content-Type: multipart/alternative; boundary="=_alt"

This is a message in MIME format, see https://preamble.example/.
--=_alt
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

${qpText}--=_alt
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: quoted-printable

${qpHtml}--=_alt--
`,
  );

export const alternative = newsletter('alternative');

/** Its HTML is in base64, so that it is compared after decoding; all around it is compared as it stands. */
export const mixed: SentMessage = (() => {
  const before = `${head('mixed')}Content-Type: multipart/mixed; boundary="=_mixed"

--=_mixed
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

`.replace(/\n/g, '\r\n');
  const after = `--=_mixed
Content-Type: application/octet-stream; name="https://attachment.example/.bin"
Content-Disposition: attachment
Content-Transfer-Encoding: base64

${attachment()}--=_mixed--
`.replace(/\r?\n/g, '\r\n');
  return {
    name: 'mixed, with an attachment of 3 MB',
    raw: Buffer.from(before + base64Lines(Buffer.from(html.text, 'latin1')) + after, 'latin1'),
    targets: html.targets,
    urlsIn: (delivered) => {
      const whole = delivered.toString('latin1');
      const end = whole.length - after.length;
      if (!whole.startsWith(before)) throw new Error(`before the HTML: ${whole.slice(0, 500)}`);
      if (whole.slice(end) !== after) throw new Error('the attachment is another');
      const encoded = whole.slice(before.length, end);
      if (!/^([A-Za-z0-9+/]{1,76}=*\r\n)+$/.test(encoded)) throw new Error('this is no base64');
      return html.urlsIn(Buffer.from(encoded, 'base64').toString('latin1'));
    },
  };
})();

export const messages: readonly SentMessage[] = [htmlOnly, textOnly, alternative, mixed];

/** The delivered message without the fields that the MTA put above it. */
export function withoutTrace(raw: Buffer): Buffer {
  const start = raw.indexOf('From: "News"');
  const trace = raw.toString('latin1', 0, start);
  if (!/^((Received|Return-Path): .*\r\n([ \t].*\r\n)*)+$/.test(trace)) {
    throw new Error(`more than trace fields above the message:\n${trace}`);
  }
  return raw.subarray(start);
}
