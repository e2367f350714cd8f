import { load } from 'cheerio';
import { describe, expect, test } from 'vitest';
import type { Detail } from '../../src/lib/logger.ts';
import { limitIdentity } from '../../src/link/identity.ts';
import type { MessageFacts, TrackedLink } from '../../src/link/message-facts.ts';
import { LoginToken } from '../../src/web/login-token.ts';
import { openWeb, sealed, type WebAnswer } from '../helpers/web.ts';
import { exampleLinks, exampleMessage } from '../link/example-message.ts';
import { tokenOf } from '../link/token-of.ts';

const TOKEN = '0123456789abcdef';
const ORIGIN = { origin: 'http://localhost:8896' };
const BEARER = { authorization: `Bearer ${TOKEN}`, accept: 'application/json' };
const HOSTILE = '"><img src=x onerror=alert(1)><script>alert(1)</script>';
type Web = Awaited<ReturnType<typeof openWeb>>;

const withLogin = (detail: Detail = 'full') =>
  openWeb({ token: new LoginToken(TOKEN), messages: { detail: () => detail } });

/** Stores a message. @returns its id and the tokens of its links */
async function send(web: Web, links = exampleLinks, facts: Partial<MessageFacts> = {}) {
  const message = exampleMessage(facts);
  const issued = web.store.issuer?.issue(message);
  if (issued === undefined) throw new Error('no issuer');
  const tokens = links.map((link) => tokenOf(issued, link));
  await issued.commit();
  return { id: message.messageId, tokens };
}

const found = async (web: Web, find: string, more = '') =>
  (await web.json(`/message?find=${encodeURIComponent(find)}${more}`)).body;
const pageOf = async (web: Web, find: string) =>
  (await web.get(`/message?find=${encodeURIComponent(find)}`)).body;

describe('looks up', () => {
  test('a message by its id, with all of its links', async () => {
    const web = await openWeb();
    const { id } = await send(web);
    const counted = { messageId: id, link: 'Logo', part: 'html', count: 3 } as const;
    web.store.counters.book({ ...counted, time: Date.now() }, 'people');
    const { links, ...message } = await found(web, id);
    expect(message).toMatchObject({
      kind: 'stored',
      message_id: id,
      facts: { recipient: 'Someone@example.org', campaign: 'autumn-2026', tags: ['weekly', 'de'] },
      hidden: [],
      link_count: exampleLinks.length,
      options: [{ option: 'dry_run', source: 'pathway newsletters' }],
    });
    expect(links).toMatchObject(
      exampleLinks.map((link, position) => ({ ...link, position, is_named: false })),
    );
    expect(links.map(({ clicks }: { clicks: number }) => clicks)).toEqual([0, 0, 3, 0, 0, 0]);
  });

  test.each([50, 500])(
    'a message of %i days ago, whose clicks lead to their rows',
    async (days) => {
      const web = await openWeb();
      const injectionTime = Math.floor(Date.now() / 1000) - days * 86_400;
      const { id } = await send(web, exampleLinks, { injectionTime });
      const facts = {
        campaign: 'autumn-2026',
        time: (injectionTime + (days - 45) * 86_400) * 1000,
      };
      const click = { messageId: id, link: 'Logo', part: 'html', count: 3 } as const;
      web.store.counters.book({ ...facts, ...click }, 'people');
      const page = await pageOf(web, id);
      const [, rows = ''] = /<data value="3"><a href="([^"]+)"/.exec(page) ?? [];
      expect((await web.json(rows.replaceAll('&amp;', '&'))).body.total.count_clicked).toBe(3);
      const [, campaign = ''] = /href="(\/campaign[^"]+)"/.exec(page) ?? [];
      const { body } = await web.json(campaign.replaceAll('&amp;', '&'));
      expect(body.days.length).toBe(1);
    },
  );

  test('a link by its token or URL, among the others of its message', async () => {
    const web = await openWeb();
    const { tokens } = await send(web);
    for (const text of [tokens[2], `https://click.example.com/f/${tokens[2]}?x`]) {
      const { links } = await found(web, text ?? '');
      expect(links.findIndex((link: { is_named: boolean }) => link.is_named)).toBe(2);
    }
  });

  test('a sealed link, with what its token holds', async () => {
    const web = await openWeb();
    const message = exampleMessage();
    const issued = sealed.issuer.issue(message);
    tokenOf(issued, { target: 'https://a.example/first', part: 'html' });
    const token = tokenOf(issued, { target: 'https://a.example/', part: 'html' });
    expect(await found(web, token)).toMatchObject({
      kind: 'sealed',
      message_id: message.messageId,
      facts: { recipient: 'Someone@example.org', campaign: 'autumn-2026' },
      links: [{ target: 'https://a.example/', position: 1, is_named: true, clicks: 0 }],
      note: expect.stringContaining('the other links of the message are not known'),
    });
    const lean = { ...message, pathway: undefined };
    const other = tokenOf(sealed.issuer.issue(lean), {
      target: 'https://a.example/',
      part: 'html',
    });
    expect(await found(web, other)).toMatchObject({
      options: [],
      note: expect.stringContaining('no pathway'),
    });
  });

  test('what is not stored, and targets', async () => {
    const web = await openWeb();
    expect(await found(web, 'AAAAAAAAAAAAAAAA')).toMatchObject({ kind: 'message', links: [] });
    expect(await found(web, 'https://shop.example/x')).toMatchObject({ kind: 'target' });
  });

  test.each([
    ['<id@mail.example>', 'nothing is stored by them'],
    ['nothing', 'Expected a tracked URL'],
    [`1${'A'.repeat(23)}`, 'No such link'],
  ])('not %s', async (text, sentence) => {
    const web = await openWeb();
    const { status, body } = await web.json(`/message?find=${encodeURIComponent(text)}`);
    expect([status, body.error]).toEqual([404, expect.stringContaining(sentence)]);
    const page = await web.get(`/message?find=${encodeURIComponent(text)}`);
    expect(page.statusCode).toBe(404);
    expect(page.body).toContain('type="search"');
  });

  test('many links page by page, beginning with the one that is asked for', async () => {
    const web = await openWeb();
    const link = (n: number): TrackedLink => ({ target: `https://a.example/${n}`, part: 'html' });
    const { id, tokens } = await send(
      web,
      Array.from({ length: 250 }, (_, n) => link(n)),
    );
    expect(await found(web, id)).toMatchObject({
      from: 0,
      link_count: 250,
      links: { length: 100 },
    });
    expect(await found(web, id, '&from=200')).toMatchObject({ from: 200, links: { length: 50 } });
    expect(await found(web, tokens[123] ?? '')).toMatchObject({ from: 100 });
    const body = await pageOf(web, tokens[123] ?? '');
    expect(body).toContain('Links 100 to 199 of 250');
    const csv = /href="(\/message\.csv[^"]*)"/.exec(body)?.[1] ?? '';
    const lines = (await web.get(csv.replaceAll('&amp;', '&'))).body.split('\r\n');
    expect(lines).toHaveLength(102);
    expect(lines[1]).toMatch(/^100,false,html,,https:\/\/a\.example\/100,/);
    expect(lines[24]).toMatch(/^123,true,/);
  });
});

test('what senders wrote is text in the page', async () => {
  const web = await openWeb();
  const links = [{ target: 'https://a.example/', part: 'html', name: HOSTILE } as const];
  const facts = { subject: HOSTILE, campaignId: HOSTILE, pathway: HOSTILE, tags: [HOSTILE] };
  const { id } = await send(web, links, { ...facts, metadata: { [HOSTILE]: HOSTILE } });
  for (const text of [id, `https://a.example/?${HOSTILE}`]) {
    const body = await pageOf(web, text);
    expect(body).toContain('&lt;script&gt;');
    expect(body).not.toMatch(/<img|<script>/);
  }
});

describe('nothing of a recipient is shown that may not be', () => {
  const PERSONAL = [/someone/i, /bounce-4711/, /4bXyZ01abcz9/, /best offers/, /gold/, /weekly/];

  test.each([
    ['none', 'recipient', false, false],
    ['domain', 'recipient', false, true],
    ['full', 'recipient', true, true],
    ['full', 'domain', false, true],
    ['full', 'none', false, false],
  ] as const)('detail %s, click_identity %s', async (detail, identity, hasPeople, hasDomain) => {
    const web = await withLogin(detail);
    const { id } = await send(web, exampleLinks, limitIdentity(exampleMessage(), identity));
    const json = JSON.stringify(await found(web, id));
    for (const text of [await pageOf(web, id), json]) {
      for (const personal of PERSONAL) {
        expect.soft(personal.test(text), `${personal}`).toBe(hasPeople);
      }
      expect(text.includes('example.org')).toBe(hasDomain);
      expect(text.includes('long/long/')).toBe(detail === 'full');
    }
    const csv = (await web.get(`/message.csv?table=links&find=${id}`)).body;
    expect(csv.includes('long/long/')).toBe(detail === 'full');
    expect(csv.includes('shop.example')).toBe(detail !== 'none');
  });

  test.each(['none', 'domain', 'full'] as const)('a name that is a URL, %s', async (detail) => {
    const web = await withLogin(detail);
    const named = {
      target: 'https://shop.example/',
      part: 'html',
      name: 'http:\\\\x.example?u=4711',
    };
    const { id } = await send(web, [named as (typeof exampleLinks)[number]]);
    for (const text of [await pageOf(web, id), JSON.stringify(await found(web, id))]) {
      expect(text.includes('4711')).toBe(detail === 'full');
    }
  });

  test.each<[value: string, shownBy: readonly Detail[]]>([
    ['( "someone@example.org" example.net )', ['full']],
    ['( example.net )', ['full', 'domain']],
    ['( )', ['full', 'domain', 'none']],
  ])('the option exclude_recipients = %s, shown by %j', async (value, shownBy) => {
    const options = [{ option: 'exclude_recipients', value, source: 'clickmilter.conf:1' }];
    for (const detail of ['none', 'domain', 'full'] as const) {
      const web = await openWeb({
        messages: { detail: () => detail, explainPathway: () => options },
      });
      const { id } = await send(web);
      const { options: shown } = await found(web, id);
      expect(shown[0].value).toBe(shownBy.includes(detail) ? value : '(not shown)');
    }
  });

  test('the page says what it hides', async () => {
    const web = await withLogin('domain');
    const { id } = await send(web);
    const { hidden } = await found(web, id);
    expect(hidden).toEqual(
      expect.arrayContaining(['recipient', 'sender', 'subject', 'queue_id', 'tags', 'metadata']),
    );
  });
});

describe('changes', () => {
  /** A login, and the form token of its pages. */
  async function logIn(web: Web, url: string) {
    const answer = await web.send({
      method: 'POST',
      url: '/login',
      form: { token: TOKEN },
      headers: ORIGIN,
    });
    const cookie = cookieOf(answer);
    const { body } = await web.get(url, { cookie });
    const formToken = /name="form_token" value="([^"]+)"/.exec(body)?.[1] ?? '';
    return { cookie, formToken };
  }
  const cookieOf = ({ headers }: WebAnswer) => String(headers['set-cookie']).split(';')[0] ?? '';

  const post = (web: Web, form: Readonly<Record<string, string>>, headers = {}) =>
    web.send({ method: 'POST', url: '/message/change', form, headers: { ...ORIGIN, ...headers } });
  const byProgram = (web: Web, form: Readonly<Record<string, string>>) => post(web, form, BEARER);
  const rulings = async (web: Web) => await web.store.blocks.all();

  test.each([
    ['none', false],
    ['domain', false],
    ['full', true],
  ] as const)(
    'with detail %s a refusal names no target that is hidden',
    async (detail, isShown) => {
      const web = await withLogin(detail);
      const { id } = await send(web);
      for (const action of ['unblock', 'undo']) {
        const form = { action, what: id, position: '2', everywhere: 'on' };
        const { statusCode, body } = await byProgram(web, form);
        expect([statusCode, body.includes('://')]).toEqual([400, isShown]);
        expect(body).toMatch(/not (blocked|retargeted)/);
      }
    },
  );

  test('a form blocks, unblocks, retargets and undoes, and leads back to the message', async () => {
    const web = await withLogin();
    const { id } = await send(web);
    const { cookie, formToken } = await logIn(web, `/message?find=${id}`);
    const change = (more: Record<string, string>) =>
      post(web, { find: id, what: id, form_token: formToken, ...more }, { cookie });
    const blocked = await change({ action: 'block', position: '2' });
    expect([blocked.statusCode, blocked.headers['location']]).toEqual([303, `/message?find=${id}`]);
    const state = async () => (await found(web, id)).links[2];
    expect(await state()).toMatchObject({ blocked: 'token' });
    await change({ action: 'unblock', position: '2' });
    expect(await rulings(web)).toEqual([]);
    const to = 'https://new.example/';
    expect((await change({ action: 'retarget', position: '2', to, why: 'wrong' })).statusCode).toBe(
      303,
    );
    expect(await state()).toMatchObject({
      leads_to: to,
      retargeted: 'token',
      retargeted_why: 'wrong',
      retargeted_by: expect.stringMatching(/^login from 127\.0\.0\.1, page@/),
    });
    await change({ action: 'undo', position: '2' });
    expect(await rulings(web)).toEqual([]);
    await change({ action: 'block' });
    expect(await rulings(web)).toMatchObject([{ kind: 'message', value: id }]);
    expect((await found(web, id)).links[0]).toMatchObject({ blocked: 'message' });
  });

  test('the page says once what was changed: not after a reload, and not to others', async () => {
    const web = await withLogin();
    const { id } = await send(web);
    const mine = await logIn(web, `/message?find=${id}`);
    const other = await logIn(web, '/login');
    const form = { action: 'block', what: id, find: ` ${id}`, form_token: mine.formToken };
    const changed = await post(web, form, { cookie: mine.cookie });
    const next = String(changed.headers['location']);
    const tells = async (url: string, headers: Record<string, string>) =>
      (await web.get(url, headers)).body.includes('Blocked: the links answer 410');
    expect(await tells(next, { cookie: other.cookie })).toBe(false);
    expect(await tells('/message', { cookie: mine.cookie })).toBe(false);
    expect(await tells(next, { cookie: mine.cookie })).toBe(true);
    expect(await tells(next, { cookie: mine.cookie })).toBe(false);
    // Nobody is led to believe in a change that was not made.
    expect(await tells(`${next}&done=block`, { cookie: mine.cookie })).toBe(false);
  });

  test('the page says it to the users of a proxy that adds the token, too', async () => {
    const web = await withLogin();
    const { id } = await send(web);
    const browser = { ...BEARER, accept: 'text/html' };
    const changed = await post(web, { action: 'block', what: id }, browser);
    const cookie = cookieOf(changed);
    const view = await web.get(String(changed.headers['location']), { ...browser, cookie });
    expect(view.body).toContain('Blocked: the links answer 410');
  });

  test.each([
    [{ 'x-forwarded-for': '198.51.100.7, 203.0.113.9' }, '203.0.113.9'],
    [{ 'x-forwarded-for': '203.0.113.9, 127.0.0.1' }, '203.0.113.9'],
    [{ 'x-real-ip': '203.0.113.9' }, '203.0.113.9'],
  ])('by a proxy with %j are of its client', async (headers, client) => {
    const web = await withLogin();
    const { id } = await send(web);
    const form = { action: 'retarget', what: id, to: 'https://www.example.com/' };
    expect((await post(web, form, { ...BEARER, ...headers })).statusCode).toBe(200);
    const found = await web.get(`/message?find=${id}`, { ...BEARER, accept: 'application/json' });
    expect(found.body).toContain(`"retargeted_by":"login from ${client}, page@`);
  });

  test('a ruling about a link holds for the tokens of earlier releases too', async () => {
    const web = await withLogin();
    const { id } = await send(web);
    await byProgram(web, { action: 'block', what: id, position: '0' });
    const kinds = (await rulings(web)).map(({ value }) => value[0]);
    expect(kinds.sort()).toEqual(['1', '3']);
  });

  test('a sealed link is changed by its token, although its place is known', async () => {
    const web = await withLogin();
    const token = tokenOf(sealed.issuer.issue(exampleMessage()), {
      target: 'https://a.example/',
      part: 'html',
    });
    const { cookie } = await logIn(web, '/login');
    const page = load((await web.get(`/message?find=${token}`, { cookie })).body);
    expect(page('th .place').text()).toBe('html 0');
    const fields = page('td form').serializeArray();
    const form = Object.fromEntries(fields.map(({ name, value }) => [name, value]));
    const blocked = await post(web, { ...form, action: 'block' }, { cookie });
    expect(blocked.statusCode).toBe(303);
    expect(await rulings(web)).toMatchObject([{ kind: 'token', value: token }]);
  });

  test('links elsewhere are changed only where that is confirmed', async () => {
    const web = await withLogin();
    const { id } = await send(web);
    const to = 'https://new.example/';
    const target = exampleLinks[0]?.target ?? '';
    const refused = await byProgram(web, { action: 'retarget', what: target, to });
    expect([refused.statusCode, JSON.parse(refused.body).error]).toEqual([
      400,
      expect.stringContaining('confirm that all links to it are meant'),
    ]);
    expect(await rulings(web)).toEqual([]);
    for (const what of [{ what: target }, { what: id, position: '0' }]) {
      await byProgram(web, { action: 'retarget', ...what, to, everywhere: 'on' });
      expect(await rulings(web)).toMatchObject([{ kind: 'url', value: target, to }]);
      await byProgram(web, { action: 'undo', ...what, everywhere: 'on' });
      expect(await rulings(web)).toEqual([]);
      await byProgram(web, { action: 'block', ...what, everywhere: 'on' });
      expect(await rulings(web)).toMatchObject([{ kind: 'url', value: target }]);
      await byProgram(web, { action: 'unblock', ...what, everywhere: 'on' });
      expect(await rulings(web)).toEqual([]);
    }
  });

  test.each([
    ['a link back to a tracking domain', { action: 'retarget', to: 'https://click.example.com/x' }],
    ['a script', { action: 'retarget', to: 'javascript:alert(1)' }],
    ['no new target', { action: 'retarget' }],
    ['a long reason', { action: 'retarget', to: 'https://a.example/', why: 'x'.repeat(501) }],
    ['what is not blocked', { action: 'unblock' }],
    ['another action', { action: 'forget' }],
    ['a link that the message does not have', { action: 'block', position: '99' }],
    ['no place', { action: 'block', position: '-1' }],
    ['a message everywhere', { action: 'block', everywhere: 'on' }],
  ])('%s is refused', async (_, form: Record<string, string>) => {
    const web = await withLogin();
    const { id } = await send(web);
    expect((await byProgram(web, { what: id, ...form })).statusCode).toBe(400);
    expect(await rulings(web)).toEqual([]);
  });

  test('forms of others change nothing', async () => {
    const web = await withLogin();
    const { id } = await send(web);
    const mine = await logIn(web, `/message?find=${id}`);
    const other = await logIn(web, `/message?find=${id}`);
    const form = { action: 'block', what: id };
    const { cookie } = mine;
    const own = { ...form, form_token: mine.formToken };
    const attempts: readonly [Record<string, string>, Record<string, string>][] = [
      [form, { cookie }],
      [{ ...form, form_token: '' }, { cookie }],
      [{ ...form, form_token: other.formToken }, { cookie }],
      [own, {}],
      [own, { cookie, origin: 'https://evil.example' }],
      [own, { cookie, origin: 'null' }],
      [own, { cookie, host: 'evil.example' }],
      [form, {}],
      [form, { authorization: 'Bearer wrong-0123456789' }],
    ];
    for (const [fields, headers] of attempts) {
      const { statusCode } = await post(web, fields, headers);
      expect([401, 403, 421]).toContain(statusCode);
      expect(await rulings(web)).toEqual([]);
    }
    const get = await web.get(`/message/change?action=block&what=${id}`, { cookie });
    expect(get.statusCode).toBe(405);
    expect((await post(web, own, { cookie })).statusCode).toBe(303);
  });

  test('without a login the page is read-only, and says why', async () => {
    for (const web of [await openWeb(), await withLogin()]) {
      const { id } = await send(web);
      const body = await pageOf(web, id);
      expect(body).not.toContain('method="post"');
      expect(body).toMatch(/token_file|Log in to block/);
      expect((await post(web, { action: 'block', what: id })).statusCode).toBe(403);
      expect(await rulings(web)).toEqual([]);
    }
  });

  test('a change that is refused leads back to its message, and to the login', async () => {
    const web = await withLogin();
    const { id } = await send(web);
    const { cookie, formToken } = await logIn(web, `/message?find=${id}`);
    const form = { action: 'retarget', what: id, find: id, to: 'javascript:1' };
    const wrong = await post(web, { ...form, form_token: formToken }, { cookie });
    expect([wrong.statusCode, wrong.body]).toEqual([400, expect.stringContaining('http or https')]);
    expect(wrong.body).toContain(`href="/message?find=${id}"`);
    expect(wrong.body).not.toContain('Log in</a>');
    // After a logout in another tab.
    const late = await post(web, { ...form, form_token: formToken });
    expect(late.statusCode).toBe(403);
    for (const address of [`/message?find=${id}`, `/login?next=%2Fmessage%3Ffind%3D${id}`]) {
      expect(late.body).toContain(`href="${address}"`);
    }
    expect(await pageOf(web, id)).toContain(`href="/login?next=%2Fmessage%3Ffind%3D${id}"`);
  });
});
