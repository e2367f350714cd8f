import { type TransferEncoding, transferEncode } from './transfer-encode.ts';

export interface NewsletterShape {
  /** Bytes of the whole body, roughly. */
  readonly size?: number;
  /**
   * Links to be tracked in the HTML part (24 where the size has room for them); half as many, at most 10,
   * are in the text part as well.
   */
  readonly links?: number;
  /** The same seed gives the same newsletter, byte for byte. */
  readonly seed?: number;
  readonly encoding?: TransferEncoding;
  /** Whose copy it is: the last two links say so. */
  readonly user?: string;
}

export interface Newsletter {
  /** As a milter gets them: no colon, no line end, folded with LF. */
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly body: Buffer;
  /** Where the links to be tracked lead, in the order of the message: the text part's, then the HTML part's. */
  readonly links: readonly string[];
  /** The decoded content of the HTML part. */
  readonly html: string;
}

/**
 * A marketing mail as a sender's system makes it: multipart/alternative, tables and inline styles,
 * Outlook's conditional comments, a List-Unsubscribe whose URL is also in the footer, and a mailto.
 */
export function newsletter(shape: NewsletterShape = {}): Newsletter {
  const { size = 20_000, seed = 1, encoding = 'quoted-printable' } = shape;
  const links = shape.links ?? Math.min(24, Math.max(3, Math.floor(size / 800)));
  const charset = encoding === '7bit' ? inAscii : (content: string) => content;
  const random = mulberry32(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const sentence = (words: number): string => {
    const text = Array.from({ length: words }, () => pick(WORDS)).join(' ');
    return `${text[0]?.toUpperCase()}${text.slice(1)}${pick(['.', '.', '!', ' …'])}`;
  };
  const hex = (digits: number): string =>
    Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join('');

  const targets = Array.from(
    { length: links },
    (_, i) =>
      `https://www.shop.example/${pick(SECTIONS)}/${hex(6)}-${pick(WORDS_ASCII)}?utm_source=newsletter` +
      `&utm_medium=email&utm_campaign=autumn-${seed}&pos=${i}&id=${hex(12)}` +
      (shape.user !== undefined && i >= links - 2 ? `&user=${shape.user}` : ''),
  );
  const unsubscribe = `https://www.shop.example/unsubscribe?u=${hex(24)}`;
  const boundary = `----=_Part_${hex(8)}_${hex(10)}.${seed}`;

  const textLinks = targets.slice(0, Math.min(10, Math.ceil(links / 2)));
  const text = charset(
    [
      `${sentence(6)}\r\n\r\n`,
      ...textLinks.map(
        (url, i) => `${i + 1}. ${sentence(9)}\r\n   ${i % 3 ? url : `<${url}>`}\r\n\r\n`,
      ),
      `-- \r\nUnsubscribe: ${unsubscribe}\r\nQuestions? help@shop.example\r\n`,
    ].join(''),
  );

  const skeleton = html(targets, unsubscribe, [], sentence, hex).join('');
  const encodedLength = (content: string) => transferEncode(Buffer.from(content), encoding).length;
  const missing = size - encodedLength(skeleton) - encodedLength(text) - 500;
  const paragraphs: string[] = [];
  const onePercent = encodedLength(paragraph(sentence));
  for (let left = missing; left > 0; left -= onePercent) {
    paragraphs.push(paragraph(sentence));
  }
  const content = charset(html(targets, unsubscribe, paragraphs, sentence, hex).join(''));

  const part = (type: string, body: string) =>
    Buffer.concat([
      Buffer.from(
        `--${boundary}\r\nContent-Type: ${type}; charset=UTF-8\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n`,
      ),
      transferEncode(Buffer.from(body), encoding),
      Buffer.from('\r\n'),
    ]);
  return {
    headers: [
      { name: 'From', value: 'The Shop <news@shop.example>' },
      { name: 'To', value: 'someone@recipient.example' },
      { name: 'Subject', value: `Autumn at the shop, number ${seed}` },
      { name: 'Date', value: 'Mon, 05 Oct 2026 08:00:00 +0000' },
      { name: 'Message-ID', value: `<${hex(20)}@shop.example>` },
      { name: 'MIME-Version', value: '1.0' },
      {
        name: 'List-Unsubscribe',
        value: `<mailto:leave@shop.example?subject=${hex(8)}>,\n\t<${unsubscribe}>`,
      },
      { name: 'List-Unsubscribe-Post', value: 'List-Unsubscribe=One-Click' },
      { name: 'Content-Type', value: `multipart/alternative;\n\tboundary="${boundary}"` },
    ],
    body: Buffer.concat([
      part('text/plain', text),
      part('text/html', content),
      Buffer.from(`--${boundary}--\r\n`),
    ]),
    links: [...textLinks, ...targets],
    html: content,
  };
}

function html(
  targets: readonly string[],
  unsubscribe: string,
  paragraphs: readonly string[],
  sentence: (words: number) => string,
  hex: (digits: number) => string,
): string[] {
  const attribute = (url: string) => url.replaceAll('&', '&amp;');
  const perCard = Math.ceil(paragraphs.length / Math.max(1, targets.length));
  return [
    `<!DOCTYPE html>\r\n<html lang="en" xmlns:v="urn:schemas-microsoft-com:vml">\r\n<head>\r\n<meta charset="utf-8">\r\n`,
    `<title>Autumn at the shop</title>\r\n<style type="text/css">\r\n${STYLE}</style>\r\n`,
    `<!--[if mso]><xml><o:OfficeDocumentSettings><o:AllowPNG/></o:OfficeDocumentSettings></xml><![endif]-->\r\n</head>\r\n`,
    `<body style="margin:0;padding:0;background-color:#f4f4f4;">\r\n`,
    `<div style="display:none;max-height:0;overflow:hidden;">Grüße aus dem Laden &nbsp;&zwnj;&nbsp;&zwnj;</div>\r\n`,
    `<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0">\r\n`,
    ...targets.flatMap((url, i) => [
      `<tr><td align="center" style="padding:12px 24px;font-family:Arial,Helvetica,sans-serif;font-size:15px;line-height:22px;">\r\n`,
      ...(i % 3 === 0
        ? [
            `<a href="${attribute(url)}" target="_blank"><img src="https://img.shop.example/p/${hex(10)}.jpg" width="552" alt="Bild" style="display:block;border:0;"></a>\r\n`,
          ]
        : [
            `<p style="margin:0 0 12px;color:#333333;"><a href="${attribute(url)}" style="color:#0a58ca;text-decoration:underline;" target="_blank">Mehr über den Herbst — ${i}</a></p>\r\n`,
          ]),
      ...paragraphs.slice(i * perCard, (i + 1) * perCard),
      `</td></tr>\r\n`,
    ]),
    `<tr><td style="padding:24px;font-size:12px;color:#888888;">${sentence(12)} `,
    `<a href="mailto:help@shop.example">help@shop.example</a> <a href="${attribute(unsubscribe)}">Unsubscribe</a></td></tr>\r\n`,
    `</table>\r\n</body>\r\n</html>\r\n`,
  ];
}

function paragraph(sentence: (words: number) => string): string {
  return `<p style="margin:0 0 12px;color:#333333;font-size:15px;line-height:22px;">${sentence(14)} ${sentence(18)}</p>\r\n`;
}

/** For 7bit: the content with what is not ASCII left out. */
function inAscii(content: string): string {
  return content.replace(/[^\0-\x7f]/g, '');
}

/** A small, good enough generator of pseudo-random numbers that is the same on every machine. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const SECTIONS = ['new', 'sale', 'garden', 'kitchen', 'outdoor', 'Kleidung'];
const WORDS_ASCII = ['lamp', 'chair', 'jacket', 'teapot', 'blanket', 'lantern'];
const WORDS = [
  ...WORDS_ASCII,
  ...['autumn', 'wärme', 'free', 'delivery', 'today', 'café', 'für', 'our', 'favourites', 'with'],
  ...['and', 'the', 'best', 'of', 'season', 'jusqu’à', '20 %', 'off', 'only', 'señorita', '🍁'],
];
const STYLE = Array.from(
  { length: 12 },
  (_, i) =>
    `.c${i} { font-family: Arial, sans-serif; font-size: ${10 + i}px; line-height: ${14 + i}px; color: #33${i + 10}66; }\r\n`,
).join('');
