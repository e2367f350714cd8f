import { expect, test } from 'vitest';
import { openWeb } from '../helpers/web.ts';
import { skeletonOf } from '../preview/newsletter-copy.ts';

const SKELETON = skeletonOf('<p>Hello</p><a href="link:0">Shop</a><a href="link:1">Imprint</a>');

/** A page with the previews of the campaign `news`, and who clicked. */
async function opened(
  clicks: readonly [message: string, label: string, position?: number, by?: 'automatic'][] = [],
  skeletons: readonly string[] = [SKELETON],
) {
  const web = await openWeb();
  for (const skeleton of skeletons) await web.store.previews.add('news', skeleton, 1);
  for (const [messageId, link, position, by = 'people'] of clicks) {
    const click = { time: Date.now(), campaign: 'news', messageId, link, count: 1 } as const;
    web.store.counters.book(
      { ...click, part: 'html', ...(position !== undefined && { position }) },
      by,
    );
  }
  const section = async (campaign: string) => {
    const { body } = await web.get(`/campaign?campaign=${campaign}`);
    return /<section class="click-map">.*?<\/section>/s.exec(body)?.[0] ?? '';
  };
  return { ...web, section };
}

const badges = (body: string) =>
  [...body.matchAll(/<a data-link="(\d+)"[^>]*><span class="badge [^>]*>([\d.%]+)/g)].map(
    ([, position, share]) => `${position}: ${share}`,
  );

test('clicks on stored links are found by their position, those on sealed links by their label', async () => {
  const { get } = await opened([
    ['a', 'link 0', 0],
    ['b', 'https://shop.example/?for=b', 0],
    ['c', 'link 1'],
    ['d', 'link 7'],
    ['d', 'link 1'],
  ]);
  const { body } = await get('/campaign/preview?campaign=news');
  expect(badges(body)).toEqual(['0: 50%', '1: 50%']);
  expect(body).not.toContain('shop.example');
});

test('the frame has a policy of its own, and may be in a page of this origin only', async () => {
  const { get } = await opened();
  const { headers } = await get('/campaign/preview?campaign=news');
  expect(headers['content-security-policy']).toMatch(
    /^sandbox; default-src 'none'; style-src-elem 'sha256-[\w+/=]{44}'; style-src-attr 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'$/,
  );
  expect(headers['x-frame-options']).toBe('SAMEORIGIN');
  expect(headers['cross-origin-opener-policy']).toBeUndefined();
  expect(headers['cache-control']).toBe('no-store');
});

test.each([
  ['/campaign/preview', 400],
  ['/campaign/preview?campaign=other', 404],
  ['/campaign/preview?campaign=news&version=other', 404],
  ['/campaign/preview?campaign=news&tag=a', 400],
  ['/campaign/preview?campaign=news&x=y', 400],
])('%s: %i', async (url, status) => {
  const { get } = await opened();
  expect((await get(url)).statusCode).toBe(status);
});

test('a skeleton that somebody changed is sanitised again before it is drawn', async () => {
  const { get } = await opened(
    [],
    ['<a data-link="0" href="javascript:x">Shop</a><script>x</script>'],
  );
  const { body } = await get('/campaign/preview?campaign=news');
  expect(body).toContain('<a data-link="0" class="narrow"><span class="badge');
  expect(body).not.toMatch(/script/);
});

test('the section names clicked links that the picture does not show', async () => {
  const { section } = await opened([
    ['a', 'link 0', 0],
    ['a', '<i>Hidden</i>', 5],
    ['b', 'link 1'],
    ['b', 'by name'],
  ]);
  const page = await section('news');
  expect(page).toContain('<iframe sandbox loading="lazy"');
  expect(page).toMatch(/&lt;i&gt;Hidden&lt;\/i&gt;.*html 5.*50\.0%/s);
  expect(page).toContain('by name');
  expect(page).not.toContain('link 0');
  expect(page).not.toContain('link 1');
});

test('JSON has the same', async () => {
  const { json } = await opened([
    ['a', 'link 0', 0],
    ['a', 'Hidden', 5, 'automatic'],
  ]);
  const { body } = await json('/campaign?campaign=news');
  expect(body.click_map).toMatchObject({
    newsletters: [{ version: expect.stringMatching(/^[\w-]{12}$/) }],
    damaged: false,
    not_shown: [
      { part: 'html', position: 5, link: 'Hidden', people: 0, people_share: 0, automatic_share: 1 },
    ],
  });
});

test('earlier newsletters of the campaign are there too', async () => {
  const other = SKELETON.replace('<p>Hello</p>', '');
  const { section, get } = await opened([], [SKELETON, other]);
  const addresses = [...(await section('news')).matchAll(/src="([^"]+)"/g)].map(([, src = '']) =>
    src.replaceAll('&amp;', '&'),
  );
  const [last, earlier] = await Promise.all(addresses.map((address) => get(address)));
  expect(last?.body).not.toContain('Hello');
  expect(earlier?.body).toContain('Hello');
});

test('a section without a preview, or with a damaged one, says so', async () => {
  const { section, store, json } = await opened();
  expect(await section('other')).toContain('There is no preview of this newsletter.');
  store.previews.of = async () => {
    throw new Error('damaged');
  };
  expect(await section('news')).toContain('cannot be drawn');
  expect(await json('/campaign/preview?campaign=news')).toEqual({
    status: 404,
    body: { error: 'what is kept of this newsletter is damaged' },
  });
});
