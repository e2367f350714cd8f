import fc from 'fast-check';
import type { HeaderField } from '../../src/message/header-fields.ts';

/** A leaf as it was made, so that a test knows what must come of it. */
export interface MadePart {
  readonly type: string;
  readonly encoding: string;
  /** Decoded bytes, one latin1 character each. */
  readonly content: string;
  /** The links in it, as they are written, in order: each stands in the content once. */
  readonly links: readonly string[];
  readonly raw: string;
  /** Or not shown for another reason. */
  readonly attachment: boolean;
}

export interface MadeMessage {
  readonly headers: readonly HeaderField[];
  /** The body: what is not a leaf as text, in latin1. */
  readonly pieces: readonly (string | MadePart)[];
}

/** A charset, text in it that holds traps, and how ASCII is written in it. */
interface CharsetCase {
  readonly label: string;
  readonly snippets: readonly string[];
  readonly ascii?: (text: string) => string;
  readonly start?: string;
}

const utf16 = (text: string) => Buffer.from(text, 'utf16le').toString('latin1');
const utf16be = (text: string) => Buffer.from(text, 'utf16le').swap16().toString('latin1');

const CHARSETS: readonly CharsetCase[] = [
  { label: 'us-ascii', snippets: ['plain', 'a = b', 'x=3D'] },
  {
    label: 'utf-8',
    snippets: ['Gr\xc3\xbc\xc3\x9fe', '\xe2\x80\xa6', '\xf0\x9f\x8d\x81', '\xc2\xa0'],
  },
  { label: 'UTF-8', snippets: ['\xff broken \xc3', '\xe2\x80'] },
  { label: 'iso-8859-1', snippets: ['Gr\xfc\xdfe', '\xa0', '\xbb'] },
  { label: 'windows-1252', snippets: ['\x93quoted\x94', '\x85', '\x80'] },
  { label: 'koi8-r', snippets: ['\xf0\xd2\xc9\xd7\xc5\xd4'] },
  {
    label: 'shift_jis',
    snippets: ['\x83\x5c\x95\x5c ', '\x83\x5b\x83\x5e ', '\x82\xa0<b>\x81\x42 '],
  },
  { label: 'gb18030', snippets: ['\x81\x30\x81\x30 ', '\xc4\xe3\x81\x5c ', '\x81\x7c\x81\x7b '] },
  { label: 'big5', snippets: ['\xa5\x5c\xb3\x5c ', '\xa6\x7c '] },
  { label: 'euc-jp', snippets: ['\xa4\xb3\xa4\xec ', '\x8e\xb1 '] },
  { label: 'iso-2022-jp', snippets: ['\x1b$B$3$l$O"<a>=\x1b(B ', '\x1b$B!V\x1b(B '] },
  { label: 'x-unknown', snippets: ['\xfe\xfe ', 'abc'] },
  { label: 'utf-16', snippets: [utf16('Grü…< ')], ascii: utf16, start: '\xff\xfe' },
  { label: 'utf-16be', snippets: [utf16be('Grü…< ')], ascii: utf16be },
];

const LINKS = [
  'https://a.example/',
  'http://b.example/x?y=1',
  'https://c.example/long/'.padEnd(90, 'z'),
];

/** A piece of content, and the link in it. */
type Bit = { before: string; link?: string; after: string };

function htmlBit(link: string): fc.Arbitrary<Bit> {
  return fc
    .constantFrom<[string, string]>(
      ['<a href="', '">x</a>'],
      ["<A\n HREF = '", "' class=b>"],
      ['<area href=', ' alt=y>'],
      ['<p style="a:b"><a title=">" href="', '"\r\n>'],
      ['<!--[if mso]><v:rect href="', '"><![endif]-->'],
    )
    .map(([before, after]) => ({ before, link: link.replaceAll('&', '&amp;'), after }));
}

function textBit(link: string): fc.Arbitrary<Bit> {
  return fc
    .constantFrom<[string, string]>(
      [' ', ' '],
      [' <', '> '],
      [' (', ').'],
      ['\r\n> ', '\r\n'],
      ['"', '", '],
    )
    .map(([before, after]) => ({ before, link, after }));
}

function content(
  html: boolean,
  charset: CharsetCase,
): fc.Arbitrary<{ content: string; links: string[] }> {
  const ascii = charset.ascii ?? ((text: string) => text);
  const link = fc
    .tuple(fc.constantFrom(...LINKS), fc.nat(999_999))
    .chain(([base, number]) => (html ? htmlBit : textBit)(`${base}?n=${number}`));
  const other = fc.oneof(
    fc.constantFrom(...charset.snippets).map((text) => ({ text })),
    fc
      .constantFrom(
        ...[
          'word ',
          '\r\n',
          ' \r\n',
          '=',
          '= \r\n',
          '.',
          '\r\n.\r\n',
          '-- ',
          '--x',
          '\t',
          '<br>',
          'From ',
        ],
      )
      .map((text) => ({ text: ascii(text) })),
    fc.integer({ min: 1, max: 300 }).map((n) => ({ text: ascii('w'.repeat(n)) })),
  );
  return (
    fc
      .array(fc.oneof(other, link), { maxLength: 25 })
      .map((bits) => {
        const links: string[] = [];
        const text = bits.map((bit) => {
          if ('text' in bit) {
            return bit.text;
          }
          const seen =
            bit.link === undefined || links.some((one) => one.includes(bit.link as string));
          if (bit.link === undefined || seen) {
            return '';
          }
          links.push(bit.link);
          return ascii(bit.before + bit.link + bit.after);
        });
        return { content: (charset.start ?? '') + text.join(''), links };
      })
      // A link must not begin another, and be where it is looked for.
      .filter(({ links }) =>
        links.every((one) => links.every((two) => one === two || !two.startsWith(one))),
      )
  );
}

/** Encoders as different as senders are: all of them right. */
function encoded(bytes: string): fc.Arbitrary<{ encoding: string; raw: string }> {
  const literal =
    /[^\0-\x7f]/.test(bytes) || bytes.includes('\0')
      ? ['8bit', 'binary', '8BIT']
      : ['7bit', '8bit', ''];
  return fc.oneof(
    fc.constantFrom(...literal).map((encoding) => ({ encoding, raw: bytes })),
    fc
      .record({
        every: fc.boolean(),
        lower: fc.boolean(),
        width: fc.constantFrom(76, 60, 20, 5000),
        lineEnd: fc.constantFrom('\r\n', '\n'),
        padding: fc.constantFrom('', ' '),
      })
      .map((style) => ({ encoding: 'quoted-printable', raw: quotedPrintable(bytes, style) })),
    fc
      .record({
        width: fc.constantFrom(76, 64, 4, 73, 100_000),
        lineEnd: fc.constantFrom('\r\n', '\n'),
      })
      .map(({ width, lineEnd }) => {
        const all = Buffer.from(bytes, 'latin1').toString('base64');
        const lines = Array.from({ length: Math.ceil(all.length / width) }, (_, i) =>
          all.slice(i * width, (i + 1) * width),
        );
        return { encoding: 'Base64', raw: lines.join(lineEnd) + lineEnd };
      }),
  );
}

interface QuotedPrintableStyle {
  readonly every: boolean;
  readonly lower: boolean;
  readonly width: number;
  readonly lineEnd: string;
  readonly padding: string;
}

function quotedPrintable(bytes: string, style: QuotedPrintableStyle): string {
  const lines = bytes.split('\r\n').map((line) => {
    let row = '';
    const rows: string[] = [];
    for (const [index, char] of [...line].entries()) {
      const plain = /[!-<>-~]/.test(char) || (/[ \t]/.test(char) && index < line.length - 1);
      const hex = char.charCodeAt(0).toString(16).padStart(2, '0');
      const unit =
        plain && !(style.every && /[a-f]/.test(char))
          ? char
          : `=${style.lower ? hex : hex.toUpperCase()}`;
      if (row.length + unit.length > style.width - 1) {
        rows.push(`${row}=${style.padding}`);
        row = '';
      }
      row += unit;
    }
    return [...rows, row].join(style.lineEnd);
  });
  return lines.join(style.lineEnd);
}

const leaf: fc.Arbitrary<MadePart & { header: string }> = fc
  .record({
    type: fc.constantFrom('text/plain', 'text/html', 'TEXT/HTML', 'image/png', 'message/rfc822'),
    charset: fc.constantFrom(...CHARSETS),
    attachment: fc.boolean().map((attachment) => attachment),
    rare: fc.nat(5),
  })
  .chain(({ type, charset, attachment, rare }) =>
    content(/html/i.test(type), charset).chain((made) =>
      encoded(made.content).map(({ encoding, raw }) => {
        const isAttachment = attachment && rare === 0;
        const header = [
          `Content-Type: ${type}; charset="${charset.label}" (comment)`,
          ...(encoding ? [`Content-Transfer-Encoding: ${encoding}`] : []),
          ...(isAttachment ? ['Content-Disposition: attachment; filename=x.html'] : []),
        ].join('\r\n');
        const isUnreadable =
          charset.label === 'x-unknown' ||
          (/^utf-16/.test(charset.label) && /bit|bin|^$/i.test(encoding));
        return {
          type: type.toLowerCase(),
          encoding: encoding.toLowerCase(),
          content: made.content,
          links: isUnreadable ? [] : made.links,
          raw,
          attachment: isAttachment,
          header,
        };
      }),
    ),
  );

type Tree =
  | { leaf: MadePart & { header: string } }
  | { subtype: string; children: Tree[]; odd: number };

const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf.map((one) => ({ leaf: one })),
    fc.record({
      subtype: fc.constantFrom('mixed', 'alternative', 'related', 'unheard-of'),
      children: fc.array(tie('tree'), { minLength: 1, maxLength: 4 }),
      odd: fc.nat(15),
    }),
  ),
}));

/** Random messages: trees of parts, transfer encodings, charsets, odd preambles, missing final delimiters. */
export const mimeMessages: fc.Arbitrary<MadeMessage> = tree.map((root) => {
  const pieces: (string | MadePart)[] = [];
  let count = 0;
  const write = (node: Tree, isShown: boolean): string => {
    if ('leaf' in node) {
      pieces.push(isShown ? node.leaf : { ...node.leaf, attachment: true });
      return node.leaf.header;
    }
    const boundary = `=_b${count++}_x`;
    pieces.push(node.odd & 1 ? 'Preamble https://p.example/\r\n' : '');
    for (const [index, child] of node.children.entries()) {
      const at = pieces.push('') - 1;
      const header = write(child, isShown && (node.subtype !== 'related' || index === 0));
      pieces[at] = `--${boundary}${node.odd & 2 ? ' ' : ''}\r\n${header}\r\n\r\n`;
      pieces.push('\r\n');
    }
    pieces.push(node.odd === 4 ? '' : `--${boundary}--\r\n`);
    pieces.push(node.odd & 8 ? 'Epilogue https://e.example/\r\n' : '');
    return `Content-Type: multipart/${node.subtype};\r\n\tboundary="${boundary}"`;
  };
  const header = write(root, true);
  const headers = header.split(/\r\n(?!\t)/).map((line) => {
    const [name = '', ...value] = line.split(':');
    return { name, value: value.join(':').replaceAll('\r\n', '\n') };
  });
  return { headers: [{ name: 'Subject', value: ' x' }, ...headers], pieces };
});
