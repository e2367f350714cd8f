import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silent } from '../../src/lib/logger.ts';
import { createWeb } from '../../src/web/web.ts';
import { barriers, startBrowser, visit } from '../helpers/browser.ts';
import { createMemoryStore } from '../helpers/memory-store/store.ts';
import { poll } from '../helpers/poll.ts';
import { messages } from '../helpers/web.ts';
import { skeletonOf } from '../preview/newsletter-copy.ts';
import { hostilePieces } from './hostile-newsletter.ts';

const store = createMemoryStore();
let web: Awaited<ReturnType<typeof createWeb>>;
let server: Server;
let base: string;
let browser: Browser;
/** What was asked of the server, and the reports of violated policies that it got. */
let asked: string[] = [];
let reports: string[] = [];

beforeAll(async () => {
  browser = await startBrowser();
  const { counters, previews, events } = store;
  web = await createWeb({
    version: '1.2.3',
    maxRequests: 8,
    hosts: [],
    reports: counters,
    previews,
    events,
    messages: messages(store),
    logger: silent,
  });
  server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => response.writeHead(500).end(error.stack));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
  await web?.close();
});

/**
 * Answers as the engagement page does, and asks for reports. `/raw?campaign=` is the frame's
 * document as if nobody had cleaned the skeleton.
 */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '', base);
  if (url.pathname === '/report') {
    for await (const chunk of request) reports.push(String(chunk));
    response.writeHead(204).end();
    return;
  }
  // Browsers ask for it by themselves.
  if (url.pathname === '/favicon.ico') return void response.writeHead(204).end();
  asked.push(url.pathname);
  const isRaw = url.pathname === '/raw';
  const view = await web.app.inject({
    url: `${isRaw ? '/campaign/preview' : url.pathname}${url.search}`,
    headers: { host: url.host },
  });
  const [version] = isRaw ? await store.previews.of(url.searchParams.get('campaign') ?? '') : [];
  const body = version
    ? view.body.replace(/<main[^>]*>.*<\/main>/s, `<main>${version.skeleton}</main>`)
    : view.body;
  const { 'content-length': _, 'content-security-policy': policy, ...headers } = view.headers;
  response
    .writeHead(view.statusCode, {
      ...(headers as Record<string, string>),
      // Browsers report what violates it.
      'content-security-policy': `${policy}; report-uri ${base}/report`,
    })
    .end(body);
}

/** Opens an address, and waits until its frame has been loaded. */
async function open<T>(
  path: string,
  look: (page: Page) => Promise<T>,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<T> {
  asked = [];
  reports = [];
  return visit(browser, `${base}${path}`, options, async ({ page, complaints }) => {
    const opened: string[] = [];
    page.on('popup', (popup) => opened.push(popup.url()));
    page.on('dialog', (dialog) => opened.push(dialog.message()));
    await page.waitForLoadState('networkidle');
    const seen = await look(page);
    expect(page.url()).toBe(`${base}${path}`);
    expect(opened).toEqual([]);
    if (!path.startsWith('/raw')) expect(complaints).toEqual([]);
    return seen;
  });
}

/** What is in the document of the frame, as far as it could do harm. */
const HARM = `[...document.querySelectorAll('*')].filter((element) =>
  !/^(a|abbr|address|article|b|blockquote|body|br|caption|center|code|div|em|font|footer|h[1-6]|head|header|hr|html|i|ins|del|li|main|meta|ol|p|pre|s|section|small|span|strike|strong|style|sub|sup|table|tbody|td|tfoot|th|thead|title|tr|u|ul)$/.test(element.tagName.toLowerCase()) ||
  [...element.attributes].some(({ name }) => !/^(align|bgcolor|border|cellpadding|cellspacing|color|colspan|dir|height|rowspan|size|style|valign|width|data-link|data-label|data-image|class|title|aria-hidden|aria-label|tabindex|charset|content|name|lang)$/.test(name)) ||
  ['fixed', 'absolute', 'sticky'].includes(getComputedStyle(element).position) && !element.matches('.badge') ||
  /url\\(/.test(getComputedStyle(element).backgroundImage)
).map((element) => element.outerHTML.slice(0, 200))`;

describe('a hostile newsletter', () => {
  const pieces = () => hostilePieces(`${base}/evil`);
  const link = '<a href="link:0">Shop</a>';
  const campaigns: [what: string, skeleton: () => string][] = [
    ['whole', () => skeletonOf(link + pieces().join('\n'))],
    ['with 10,000 links', () => skeletonOf(link + '<a href=x>x</a>'.repeat(10_000))],
    // As if somebody had put it into the store.
    [
      'with 10,000 links that nobody counted',
      () => `<a data-link="0">Shop</a>${'<a data-link="1">x</a>'.repeat(10_000)}`,
    ],
    ['that was never cleaned', () => `<a data-link="0">Shop</a>${pieces().join('\n')}`],
    [
      'of one uncleaned piece after another',
      () =>
        pieces()
          .map((one) => `<div>${one}</div>`)
          .join('<a data-link="0">Shop</a>'),
    ],
  ];

  test.each(campaigns)(
    '%s: nothing runs, nothing is asked for, nothing is violated',
    async (what, skeleton) => {
      await store.previews.add(what, skeleton(), 1);
      const frame = `/campaign?campaign=${encodeURIComponent(what)}`;
      const found = await open(frame, async (page) => {
        await page.locator('iframe').scrollIntoViewIfNeeded();
        await poll('the frame', async () => page.frames().length > 1);
        await page.waitForLoadState('networkidle');
        await page.frameLocator('iframe').getByText('Shop').first().waitFor();
        return { frames: page.frames().length, harm: await page.frames()[1]?.evaluate(HARM) };
      });
      expect(found).toEqual({ frames: 2, harm: [] });
      const documents = asked.filter((path) => !path.startsWith('/assets/'));
      expect(documents).toEqual(['/campaign', '/campaign/preview']);
      expect(reports).toEqual([]);
    },
  );

  test('would be stopped by the policy of the frame all the same, and reported', async () => {
    const [, evil] = campaigns[3] ?? [];
    await store.previews.add('raw', evil?.() ?? '', 1);
    await open('/raw?campaign=raw', (page) => page.waitForTimeout(0));
    expect(asked.filter((path) => path.startsWith('/evil'))).toEqual([]);
    await poll('a report', async () => reports.length > 0);
  });
});

test.each([1440, 390])(
  'badges of short links do not cover each other at %d pixels',
  async (width) => {
    const campaign = 'short links';
    const link = (content: string, index: number) => `<a href="link:${index}">${content}</a>`;
    const image = '<img src="x" width="24" height="24">';
    const icons = Array.from({ length: 5 }, (_, n) => link(image, n));
    const scores = Array.from({ length: 11 }, (_, n) => link(`${n}`, 5 + n));
    const words = ['Men', 'Women', 'Kids', 'Home'].map((word, n) => link(word, 16 + n));
    for (let position = 0; position < 20; position++) {
      const place = { campaign, messageId: 'short', part: 'html', link: 'x', position } as const;
      store.counters.book({ ...place, time: Date.now(), count: 1 }, 'people');
      store.counters.book({ ...place, time: Date.now(), count: 1 }, 'automatic');
    }
    const lines = [icons.join(' '), scores.join(''), words.join(' | ')];
    await store.previews.add(campaign, skeletonOf(`<p>${lines.join('<br>')}</p>`), 1);
    const frame = `/campaign/preview?${new URLSearchParams({ campaign })}`;
    const boxes = await open(
      frame,
      (page) =>
        page.locator('main .badge').evaluateAll((badges) =>
          badges.map((badge) => {
            const { left, right, top, bottom } = badge.getBoundingClientRect();
            return { name: badge.parentElement?.textContent, left, right, top, bottom };
          }),
        ),
      { viewport: { width, height: 900 } },
    );
    expect(boxes).toHaveLength(20);
    const covered = boxes.flatMap((one, index) =>
      boxes
        .slice(index + 1)
        .filter(({ left, top, right, bottom }) => {
          const isBeside = left >= one.right || right <= one.left;
          return !isBeside && top < one.bottom && bottom > one.top;
        })
        .map(({ name }) => [one.name, name]),
    );
    expect(covered).toEqual([]);
  },
);

test('badges have the share of people, its colour, and the share of programs', async () => {
  const campaign = 'badges';
  const { counters, previews } = store;
  const click = (message: number, position: number, label: string, by: 'people' | 'automatic') =>
    counters.book(
      {
        time: Date.now(),
        campaign,
        messageId: `${message}`,
        link: label,
        part: 'html',
        position,
        count: 1,
      },
      by,
    );
  for (let message = 0; message < 20; message++) {
    counters.sent({ time: Date.now(), campaign, links: 3 });
    click(message, 0, 'link 0', 'people');
    if (message < 2) click(message, 1, 'link 1', 'people');
    click(message, 1, 'link 1', 'automatic');
    if (message < 1) click(message, 7, '<b>Web</b> version', 'people');
  }
  await previews.add(
    campaign,
    skeletonOf(
      `<h1>Spring</h1><p>Hello</p><table width="600" bgcolor="#f4f4f4" style="margin:0 auto"><tr><td style="padding:20px">` +
        `<a href="link:0" style="background:#b00020;color:#fff;padding:12px 24px">Shop</a></td><td>` +
        `<a href="link:1"><img width="240" height="120" src="x"></a></td><td><a href="link:2">Imprint</a></td></tr></table>`,
    ),
    1,
  );
  for (const colorScheme of ['light', 'dark'] as const) {
    await open(
      `/campaign?campaign=${campaign}`,
      async (page) => {
        const frame = page.frameLocator('iframe');
        await frame.locator('main .badge').first().waitFor();
        const badges = await frame
          .locator('main .badge')
          .evaluateAll((found) => found.map((one) => one.outerHTML));
        expect(badges).toEqual([
          expect.stringMatching(/^<span class="badge heat-5" title="100% of [^"]+">100%<\/span>$/),
          expect.stringMatching(
            /heat-3" title=".*91% of its clicks are automatic">10%<span class="auto auto-10"><\/span>/,
          ),
          expect.stringMatching(/heat-0" .*>0%<\/span>$/),
        ]);
        expect(await page.locator('.click-map td').allTextContents()).toEqual([
          'html 7',
          '1',
          '5.0%',
          '0.0%',
        ]);
        expect(await page.locator('.click-map th[scope=row]').textContent()).toBe(
          '<b>Web</b> version',
        );
        expect(await barriers(page)).toEqual([]);
      },
      { colorScheme },
    );
    expect(reports).toEqual([]);
  }
});
