import { expect, test } from 'vitest';
import { Transaction } from '../../src/filter/transaction.ts';
import type { NewsletterCopy } from '../../src/preview/copies.ts';
import { filterSettings } from '../../src/service/filter-settings.ts';
import { configurationOf } from '../helpers/configuration.ts';
import { createMemoryStore } from '../helpers/memory-store/store.ts';

const CONFIG = (more: string) => `ESMTP_Listener { click_tracking_enabled = on ${more} }`;
const NEWS = 'context = [ smtpapi_campaign_id = "news" ]';

const BODY = `--b
Content-Type: text/plain

See https://shop.example/text
--b
Content-Type: text/html; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

<p>Gr=FC=DFe</p><a href=3D"https://shop.example/?a=3D1&amp;b=3D2">one</a>
<a href=3D"mailto:x@shop.example">mail</a> <a data-msys-clicktrack=3D0 href=3D"https://shop.example/">no</a>
<a data-msys-linkname=3D"Two" href=3Dhttps://shop.example/2>two</a>
--b--
`.replaceAll('\n', '\r\n');

/** Sends a message to `anna@x.example`. @returns the copies that were offered */
async function send(config: string, body = BODY): Promise<NewsletterCopy[]> {
  const offered: NewsletterCopy[] = [];
  const store = createMemoryStore();
  const { issuer } = store;
  if (issuer === undefined) throw new Error('no issuer');
  const transaction = new Transaction(
    filterSettings(configurationOf(config)),
    {
      issuer,
      sealed: issuer,
      counter: store.counters,
      optOuts: store.optOuts,
      previews: { offer: (copy) => offered.push(copy) },
    },
    { macro: () => undefined, sender: 'shop@shop.example' },
  );
  transaction.recipient('anna@x.example');
  transaction.header({ name: 'Content-Type', value: ' multipart/alternative; boundary=b' });
  transaction.endOfHeaders();
  transaction.body(Buffer.from(body));
  await transaction.end();
  return offered;
}

test.each([
  ['it is not switched on', NEWS],
  ['the message names no campaign', 'preview = on'],
  ['nothing is changed', `preview = on dry_run = on ${NEWS}`],
  ['the recipient is excluded', `preview = on exclude_recipients = ( "x.example" ) ${NEWS}`],
])('no copy is offered where %s', async (_, more) => {
  expect(await send(CONFIG(more))).toEqual([]);
});

test('no copy is offered of a message that has nothing to track', async () => {
  expect(await send(CONFIG(`preview = on ${NEWS}`), 'Hello\r\n')).toEqual([]);
});

test.each(['recipient', 'domain', 'none'])(
  'a tracked message is offered with click_identity = %s',
  async (identity) => {
    const [copy] = await send(
      CONFIG(`preview = on preview_days = 7 click_identity = ${identity} ${NEWS}`),
    );
    expect(copy).toMatchObject({
      campaign: 'news',
      recipients: ['anna@x.example'],
      days: 7,
      links: 5,
    });
  },
);

test('its HTML part is decoded, and each link has the position by which its clicks are counted', async () => {
  const [copy] = await send(CONFIG(`preview = on ${NEWS}`));
  const html = copy?.html((link) => (link === undefined ? 'X' : `${link.position} ${link.label}`));
  expect(
    html?.replaceAll('\r\n', '\n'),
  ).toBe(`<p>Grüße</p><a href="1 https://shop.example/?a=1&#38;b=2">one</a>
<a href="X">mail</a> <a data-msys-clicktrack=0 href="X">no</a>
<a data-msys-linkname="Two" href=2&#32;Two>two</a>`);
});

test('a link that is left alone because of its long line has no badge, and keeps its place', async () => {
  const link = (n: number) => `<a href="https://shop.example/${n}">${n}</a>`;
  const long = `${'x'.repeat(940)}${link(0)}`;
  const html = `--b\r\nContent-Type: text/html\r\n\r\n${link(1)}\r\n${long}\r\n${link(2)}\r\n--b--\r\n`;
  const [copy] = await send(CONFIG(`preview = on ${NEWS}`), html);
  const shown = copy?.html((link) => (link === undefined ? 'X' : `${link.position}`));
  expect([...(shown ?? '').matchAll(/href="?(\w+)/g)].map(([, href]) => href)).toEqual([
    '0',
    'X',
    '2',
  ]);
});
