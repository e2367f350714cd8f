import type { MilterClient } from '../milter/client.ts';

export const CAMPAIGN = 'bulbs';

/** The demo's message: an ordinary newsletter, small enough for a terminal. */
export const newsletter = {
  sender: 'news@garden.example',
  recipient: 'ada@customer.example',
  headers: [
    { name: 'From', value: 'The Garden Letter <news@garden.example>' },
    { name: 'To', value: 'ada@customer.example' },
    { name: 'Subject', value: 'Bulbs to plant before the frost' },
    { name: 'Message-ID', value: '<demo.1@garden.example>' },
    { name: 'List-Unsubscribe', value: '<https://garden.example/unsubscribe?u=4711>' },
    { name: 'X-MSYS-API', value: JSON.stringify({ campaign_id: CAMPAIGN }) },
    { name: 'MIME-Version', value: '1.0' },
    { name: 'Content-Type', value: 'multipart/alternative; boundary="=-demo"' },
  ],
  body: [
    '--=-demo',
    'Content-Type: text/plain; charset=utf-8',
    '',
    'Bulbs to plant before the frost',
    '',
    'Tulips first (https://www.example.com/guide/tulips[[data-msys-linkname="Tulips"]]),',
    'then garlic <https://www.example.com/shop?item=garlic[[data-msys-linkname="Shop"]]>.',
    '',
    'Leave the list: https://garden.example/unsubscribe?u=4711',
    '--=-demo',
    'Content-Type: text/html; charset=utf-8',
    'Content-Transfer-Encoding: quoted-printable',
    '',
    '<html><body style=3D"font-family: Georgia, serif">',
    '<h1>Bulbs to plant before the frost</h1>',
    '<p>Tulips first: <a href=3D"https://www.example.com/guide/tulips" data-msys-li=',
    'nkname=3D"Tulips">the guide</a>.</p>',
    '<p><a class=3D"button" href=3D"https://www.example.com/shop?item=3Dgarlic&amp;f=',
    'rom=3Dletter" data-msys-linkname=3D"Shop">Garlic from our shop</a></p>',
    '<p><a href=3D"https://www.example.com/account" data-msys-clicktrack=3D"0">Your=',
    ' account</a> (not to be tracked, says its mark)</p>',
    '<p><a href=3D"https://garden.example/unsubscribe?u=3D4711">Leave the list</a>',
    '<img src=3D"https://www.example.com/tulip.jpg" alt=3D""></p>',
    '</body></html>',
    '--=-demo--',
    '',
  ].join('\r\n'),
} as const;

/**
 * The demo logs in, so that its X-MSYS-API header is believed, by a name that conf/clickmilter.conf
 * has as a pathway.
 */
const LOGIN = { '{auth_authen}': 'demo@garden.example' };

/** One copy of the newsletter, before and after the milter, and the links that are tracked now. */
interface SentNewsletter {
  readonly before: Buffer;
  readonly after: Buffer;
  readonly links: readonly string[];
}

/** Sends the newsletter to a recipient. */
export async function sendNewsletter(
  milter: MilterClient,
  recipient: string,
): Promise<SentNewsletter> {
  const before = messageTo(recipient);
  const { message: after } = await milter.send({
    sender: `<${newsletter.sender}>`,
    recipients: [`<${recipient}>`],
    message: before,
    macros: { mail: LOGIN },
  });
  return { before, after, links: trackedLinks(before, after) };
}

function messageTo(recipient: string): Buffer {
  const headers = newsletter.headers.map(
    ({ name, value }) => `${name}: ${name === 'To' ? recipient : value}\r\n`,
  );
  return Buffer.from(`${headers.join('')}\r\n${newsletter.body}`);
}

/** The URLs that only the new message contains. */
function trackedLinks(before: Buffer, after: Buffer): readonly string[] {
  const known = new Set(urls(before));
  return urls(after).filter((url) => !known.has(url));
}

/** The URLs of the demo's newsletter, whose lines may be wrapped by quoted-printable. */
function urls(message: Buffer): string[] {
  const text = message.toString('latin1').replaceAll('=\r\n', '');
  return text.match(/https?:\/\/[\w.:-]+\/[\w./-]+/g) ?? [];
}
