import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { merge } from '../../src/preview/text-runs.ts';
import { barriers, startBrowser, visit, writePicture } from '../helpers/browser.ts';
import { freePort } from '../helpers/free-port.ts';
import { AUTUMN, countMonth, HOSTILE, SENT_DAYS_AGO } from '../helpers/month-of-clicks.ts';
import { poll } from '../helpers/poll.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { type Service, startService } from '../helpers/service.ts';
import { shopNewsletter } from '../helpers/shop-newsletter.ts';
import { skeletonOf } from '../preview/newsletter-copy.ts';
import { openStore } from '../store/redis/open-store.ts';

// The engagement page of the running service as people see it, with a month of a shop's mail behind it.

const of = (campaign: string) => `/campaign?${new URLSearchParams({ campaign })}`;
/** Every view, by the name of its picture. */
const VIEWS = {
  overview: '/',
  campaign: of(AUTUMN),
  rows: `/rows?${new URLSearchParams({ by: 'link', campaign: AUTUMN })}`,
} as const;
/** Pages beside them whose names try to be more than names. */
const HOSTILE_PAGES = {
  markup: of(HOSTILE.markup),
  word: of(HOSTILE.word),
  turned: of(HOSTILE.turned),
  links: '/rows?by=link',
  tags: '/rows?by=tag',
  refused: `/rows?${new URLSearchParams({ by: 'link', campaign: HOSTILE.word, tag: 'x' })}`,
} as const;
const TOKEN = 'token-of-this-test';
const WIDTHS = [390, 768, 1440];
/** A folder for a picture of each view at each width: `npm run screenshots`. */
const PICTURES = process.env['SCREENSHOTS'];

let redis: Redis;
let service: Service;
let browser: Browser;
let base: string;
let folder: string;
/** The paths of the links of the last newsletter. */
let links: readonly string[];

beforeAll(async () => {
  redis = await startRedis();
  const store = openStore({ url: redis.url });
  await countMonth(store.counters);
  // As two copies leave it.
  const [one, other] = ['Anna', 'Bartholomew'].map((name) =>
    skeletonOf(shopNewsletter(name, (position) => `link:${position}`)),
  );
  await store.previews.add(AUTUMN, merge(one ?? '', other ?? '') ?? '', 1);
  await store.close();
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-views-'));
  const tokenFile = join(folder, 'token');
  await writeFile(tokenFile, TOKEN, { mode: 0o600 });
  const port = await freePort();
  base = `http://127.0.0.1:${port}`;
  service = await startService(`link_store = redis
redis { url = "${redis.url}" }
Web_Listener { Listen "127.0.0.1:${port}" { }  token_file = "${tokenFile}" }
smtpapi { }
ESMTP_Listener {
  click_tracking_enabled = on  tracking_domain = "localhost"  accept_x_msys_api = any
}`);
  browser = await startBrowser();
  await poll('the engagement page', async () => (await fetch(base)).ok);
  links = await sendNewsletter();
  await poll('it to be counted', async () =>
    (await (await fetch(`${base}/rows?by=campaign`)).text()).includes('Autumn collection, again'),
  );
  if (PICTURES !== undefined) await mkdir(PICTURES, { recursive: true });
}, 180_000);
afterAll(async () => {
  await browser?.close();
  await service?.stop();
  await redis?.stop();
  await rm(folder, { recursive: true });
});

/** Sends the newsletter once, as another campaign: the numbers of the views stay what they are. */
async function sendNewsletter(): Promise<readonly string[]> {
  const head = `Subject: The autumn collection is here
X-MSYS-API: {"campaign_id": "Autumn collection, again"}
Content-Type: text/html; charset=utf-8

`.replaceAll('\n', '\r\n');
  const body = shopNewsletter('Carla', (position) => `https://shop.example/${position}`);
  const client = await connectMilter({ host: '127.0.0.1', port: service.milterPort });
  const { message } = await client.send({
    sender: 'news@shop.example',
    recipients: ['<carla@mail.example>'],
    message: Buffer.from(head + body),
  });
  await client.quit();
  const paths = [...message.toString().matchAll(/href="http:\/\/localhost(\/[^"]+)"/g)];
  return paths.map(([, path = '']) => path);
}

/** Whether the page is wider than its window. */
const OVERFLOW = 'document.documentElement.scrollWidth > document.documentElement.clientWidth';
/** Which tables are wider than their box, so that their ends are out of sight. */
const CUT_OFF = `[...document.querySelectorAll('.table')].filter((box) => box.offsetParent && box.scrollWidth > box.clientWidth).map((box) => box.ariaLabel)`;
const NAMES_OF = (inputs: { name?: string }[]) => inputs.map(({ name }) => name);
const DRAWN = `[...document.querySelectorAll('figure.plot')].every((one) => one.querySelector('canvas'))`;

const PAPER = `(({ backgroundColor, color }) => [backgroundColor, color])(getComputedStyle(document.body))`;
/** Collects the controls that have had no focus yet, and those that did not show it. */
const NOTE_FOCUS = `(() => {
  const all = document.querySelectorAll('a[href], button, input, select, summary, iframe, [tabindex]');
  window.controls = new Set([...all].filter((one) => one.checkVisibility({ visibilityProperty: true }) && one.type !== 'hidden'));
  window.unseen = [];
  addEventListener('focusin', ({ target }) => {
    controls.delete(target);
    if (getComputedStyle(target).outlineStyle === 'none') unseen.push(target.outerHTML);
  });
})()`;

/**
 * Tests that hold for each view.
 * @param at finds its path, as soon as it is needed
 */
function looksGood(name: string, at: () => string, context: BrowserContextOptions = {}): void {
  test.each(WIDTHS)('fits a window of %d pixels', async (width) => {
    const viewport = { width, height: 900 };
    await visit(browser, base + at(), { ...context, viewport }, async ({ page, complaints }) => {
      await page.waitForFunction(DRAWN);
      await page.evaluate("document.querySelector('td details')?.setAttribute('open', '')");
      expect(await page.evaluate(OVERFLOW)).toBe(false);
      if (width >= 768) expect(await page.evaluate(CUT_OFF)).toEqual([]);
      expect(complaints).toEqual([]);
      if (PICTURES !== undefined) await writePicture(page, `${PICTURES}/${name}-${width}.webp`);
    });
  });

  test('prints dark on white, without controls, as wide as paper', async () => {
    // What A4 has within its margins.
    const viewport = { width: 718, height: 1000 };
    const dark = { ...context, viewport, colorScheme: 'dark' } as const;
    await visit(browser, base + at(), dark, async ({ page, complaints }) => {
      await page.waitForFunction(DRAWN);
      await page.emulateMedia({ media: 'print' });
      expect(await page.evaluate(OVERFLOW)).toBe(false);
      expect(await page.locator(`:is(nav, form, button, summary):visible`).count()).toBe(0);
      expect(await page.evaluate(PAPER)).toEqual(['rgb(255, 255, 255)', 'rgb(29, 33, 38)']);
      expect(complaints).toEqual([]);
    });
  });

  test('is used by keyboard alone: Tab reaches every control, and shows where it is', async () => {
    const url = base + at();
    await visit(browser, url, context, async ({ page, complaints }) => {
      await page.waitForFunction(DRAWN);
      await page.evaluate(NOTE_FOCUS);
      const count = await page.evaluate<number>('controls.size');
      // A date is several stops.
      // The focus in a frame is no event here.
      const left = () => page.evaluate('(controls.delete(document.activeElement), controls.size)');
      for (let n = 0; n < 2 * count + 40 && (await left()); n++) await page.keyboard.press('Tab');
      expect(await page.evaluate('[...controls].map((one) => one.outerHTML)')).toEqual([]);
      expect(await page.evaluate('unseen')).toEqual([]);
      expect(complaints).toEqual([]);
    });
  });

  test.each(['light', 'dark'] as const)('has no barriers in %s mode', async (colorScheme) => {
    // Two days have tables of every kind, and axe-core looks at each of their cells.
    const url = new URL(at(), base);
    const days = name in VIEWS ? { since: SENT_DAYS_AGO, until: SENT_DAYS_AGO - 1 } : {};
    for (const [day, ago] of Object.entries(days)) {
      const date = new Date(Date.now() - ago * 86_400_000);
      url.searchParams.set(day, date.toISOString().slice(0, 10));
    }
    await visit(browser, url.href, { ...context, colorScheme }, async ({ page, complaints }) => {
      await page.waitForFunction(DRAWN);
      // The tables behind the plots, too.
      await page.evaluate(
        "for (const one of document.querySelectorAll('details')) one.open = true",
      );
      expect(await barriers(page)).toEqual([]);
      expect(complaints).toEqual([]);
    });
  });
}

describe.each(Object.entries(VIEWS))('the view %s', (name, path) => {
  looksGood(name, () => path);

  test('shows every number of its JSON without scripts', async () => {
    const response = await fetch(base + path, { headers: { Accept: 'application/json' } });
    const numbers = new Set(countsOf(await response.json()));
    expect(numbers.size).toBeGreaterThan(5);
    await visit(
      browser,
      base + path,
      { javaScriptEnabled: false },
      async ({ page, complaints }) => {
        const seen = await page.locator('td:visible, dd:visible').allInnerTexts();
        const shown = new Set(seen.flatMap((text) => text.match(/[\d,]*\d/g) ?? []));
        expect([...numbers].filter((number) => !shown.has(number.toLocaleString('en')))).toEqual(
          [],
        );
        expect(complaints).toEqual([]);
      },
    );
  });
});

test('the click map has a badge on each link of the newsletter', async () => {
  const viewport = { width: 800, height: 900 };
  await visit(browser, base + of(AUTUMN), { viewport }, async ({ page, complaints }) => {
    await page.locator('iframe').scrollIntoViewIfNeeded();
    const frame = page.frameLocator('iframe');
    await frame.locator('.badge').last().waitFor();
    const shares = await frame.locator('main .badge').allInnerTexts();
    expect(shares).toHaveLength(6);
    for (const share of shares) expect(Number.parseFloat(share)).toBeGreaterThan(0);
    expect(await frame.locator('main').textContent()).not.toMatch(/Anna|Bartholomew/);
    expect(complaints).toEqual([]);
    if (PICTURES) await writePicture(page, `${PICTURES}/click-map.webp`, '.click-map');
  });
});

/** The numbers of people, programs and messages in an answer. */
function countsOf(json: unknown): number[] {
  if (typeof json !== 'object' || json === null) return [];
  return Object.entries(json).flatMap(([key, value]) =>
    typeof value === 'number' && ['messages', 'people_clicked', 'automatic_clicked'].includes(key)
      ? [value]
      : countsOf(value),
  );
}

test.each(Object.entries(HOSTILE_PAGES))('%s is shown as text, and fits', async (_name, path) => {
  const viewport = { width: 390, height: 900 };
  await visit(browser, base + path, { viewport }, async ({ page, complaints }) => {
    await page.waitForFunction(DRAWN);
    expect(await page.evaluate(OVERFLOW)).toBe(false);
    expect(await page.locator('main img, main script').count()).toBe(0);
    expect(complaints.filter((one) => !one.includes('status of 400'))).toEqual([]);
  });
});

test('the filters work without scripts', async () => {
  await visit(browser, base, { javaScriptEnabled: false }, async ({ page }) => {
    await page.fill('input[name="pathway"]', 'transactional');
    await page.click('form.filters button');
    expect(new URL(page.url()).searchParams.get('pathway')).toBe('transactional');
    const campaigns = await page.locator('section tbody th').allInnerTexts();
    expect(campaigns.sort()).toEqual(['(no campaign)', 'Order confirmations']);
  });
});

test('the filters take one name at a time, and Live takes several', async () => {
  await visit(browser, base, { javaScriptEnabled: false }, async ({ page }) => {
    const inputs = () => page.locator('input[list]:visible').evaluateAll(NAMES_OF);
    expect(await inputs()).toEqual(['campaign', 'pathway', 'tag']);
    await page.fill('input[name="tag"]', 'digest');
    expect(await inputs()).toEqual(['tag']);
    await page.keyboard.press('Enter');
    await page.waitForURL(/tag=digest/);
    expect(await inputs()).toEqual(['tag']);
    await page.fill('input[name="tag"]', '');
    await page.fill('input[name="pathway"]', 'newsletter');
    await page.click('form.filters button');
    await page.waitForURL(/pathway=newsletter/);
    expect(await page.locator('h1').textContent()).toBe('Overview');
    await page.goto(`${base}/live`);
    for (const name of ['campaign', 'pathway']) await page.fill(`input[name="${name}"]`, 'x');
    await page.click('form.filters button');
    await page.getByText('No clicks of this campaign and pathway').waitFor();
  });
});

test('a link of another site leads through the login to its page, later without the token', async () => {
  // As a proxy forwards the requests of another host.
  const far = { extraHTTPHeaders: { 'X-Forwarded-For': '203.0.113.9' } };
  const address = base + of(AUTUMN);
  await visit(browser, address, far, async ({ page }) => {
    const arrives = () => page.getByRole('heading', { name: `Campaign ${AUTUMN}` }).waitFor();
    const logIn = page.getByRole('link', { name: 'Log in', exact: true });
    await logIn.click();
    await page.fill('input[name="token"]', TOKEN);
    await page.click('form button');
    await arrives();
    // Browsers send no strict cookie with it.
    await page.goto(`data:text/html,<a href="${address}">The campaign</a>`);
    await page.click('a');
    await logIn.click();
    await arrives();
  });
});

test('a number leads to the rows behind it', async () => {
  await visit(browser, base, {}, async ({ page }) => {
    await page.click('section tbody th a');
    await page.waitForURL(/\/campaign\?/);
    await page.click('dl.figures a');
    await page.waitForURL(/\/rows\?/);
    expect(await page.locator('tbody tr').count()).toBeGreaterThan(5);
  });
});

// Last, as clicks change the numbers of the views above.
describe('clicks as they come', () => {
  const READERS = [
    'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
    'curl/8.5.0',
  ];
  beforeAll(async () => {
    for (const [n, agent] of READERS.entries()) {
      const url = `http://localhost:${service.httpPort}${links[n]}`;
      await fetch(url, { headers: { 'user-agent': agent }, redirect: 'manual' });
    }
    const shown = async () => (await (await fetch(`${base}/live`)).text()).match(/<tr data-row/g);
    await poll('the clicks', async () => (await shown())?.length === READERS.length);
  });

  describe('the view live', () => {
    looksGood('live', () => '/live');

    test('shows them without scripts', async () => {
      await visit(browser, `${base}/live`, { javaScriptEnabled: false }, async ({ page }) => {
        expect(await page.locator('tbody tr:visible').count()).toBe(READERS.length);
      });
    });
  });

  describe('the view message', () => {
    looksGood(
      'message',
      () => `/message?${new URLSearchParams({ find: `http://localhost${links[0]}` })}`,
      // With the controls of somebody who may change links.
      { extraHTTPHeaders: { Authorization: `Bearer ${TOKEN}` } },
    );
  });

  describe('the login', () => looksGood('login', () => '/login'));
});
