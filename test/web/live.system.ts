import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { barriers, startBrowser, visit } from '../helpers/browser.ts';
import { freePort } from '../helpers/free-port.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { type Service, startService } from '../helpers/service.ts';
import { slowness } from '../helpers/slowness.ts';

// Clicks through the redirect of a running service, as they show in a real browser.

const HOSTILE = `"><img src=x onerror=document.title='hit'><script>document.title='hit'</script>`;
/** No line is broken in it. */
const LONG_WORD = 'W'.repeat(250);
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

let redis: Redis;
let service: Service;
let browser: Browser;
let live: string;
let links: readonly string[];

beforeAll(async () => {
  redis = await startRedis();
  const webPort = await freePort();
  live = `http://127.0.0.1:${webPort}/live`;
  service = await startService(`link_store = redis
redis { url = "${redis.url}"  command_timeout = 1 }
Web_Listener { Listen "127.0.0.1:${webPort}" { } }
log { detail = full }
smtpapi { }
ESMTP_Listener {
  click_tracking_enabled = on  tracking_domain = "localhost"  accept_x_msys_api = any
}`);
  links = await issue();
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
  await redis?.stop();
});

/** The paths of the links of a message. */
async function issue(campaign = HOSTILE): Promise<readonly string[]> {
  const client = await connectMilter({ host: '127.0.0.1', port: service.milterPort });
  const name = HOSTILE.replaceAll('"', '&quot;').slice(0, 63);
  const anchors = Array.from(
    { length: 40 },
    (_, n) =>
      `<a href="https://shop.example/${n}/${LONG_WORD}" data-msys-linkname="${name}">${n}</a>\r\n`,
  );
  const api = JSON.stringify({ campaign_id: campaign });
  const head = `Subject: ${HOSTILE}${LONG_WORD}\r\nX-MSYS-API: ${api}\r\nContent-Type: text/html\r\n\r\n`;
  const { message } = await client.send({ message: Buffer.from(`${head}${anchors.join('')}`) });
  await client.quit();
  const paths = [...message.toString().matchAll(/href="http:\/\/localhost(\/[^"]+)"/g)];
  return paths.map(([, path = '']) => path);
}

let next = 0;

/** Follows the next link. @returns when the redirect had answered, in Unix milliseconds */
function click(userAgent = FIREFOX, method = 'GET'): Promise<number> {
  return follow(links[next++], userAgent, method);
}

async function follow(path = '', userAgent = FIREFOX, method = 'GET'): Promise<number> {
  const url = `http://localhost:${service.httpPort}${path}`;
  // Each from a message reader of its own, so that they are no burst.
  const headers = { 'user-agent': userAgent, host: 'localhost' };
  const { status } = await fetch(url, { method, headers, redirect: 'manual' });
  expect(status).toBe(302);
  return Date.now();
}

const count = (page: Page) => page.locator('tbody tr').count();
/** Who clicked, by the rows from the newest on. */
const who = (page: Page) => page.locator('tbody tr .key').allTextContents();
const status = (page: Page) => page.locator('.live-status').textContent();
const isConnected = (page: Page) =>
  expect.poll(() => status(page)).toBe('Clicks show as they come.');

/** Notes when the last row came, by the clock that this process has too. */
const OBSERVE = `new MutationObserver(() => { window.changedAt = Date.now(); })
  .observe(document.querySelector('tbody'), { childList: true })`;
const CHANGED_AT = 'window.changedAt';

/** The best of several counts: this machine may be busy with other things. */
function expectWithinASecond(delays: readonly number[], slow: number): void {
  expect(Math.min(...delays)).toBeLessThan(1_000 * slow);
}

test('a click shows within a second, and people and programs are told apart', async () => {
  await visit(browser, live, {}, async ({ page, complaints }) => {
    await isConnected(page);
    await page.evaluate(OBSERVE);
    const slow = await slowness();
    const delays: number[] = [];
    for (let n = 0; n < 5; n++) {
      const before = await count(page);
      const at = await click();
      await expect.poll(() => count(page)).toBe(before + 1);
      delays.push((await page.evaluate<number>(CHANGED_AT)) - at);
      if (n === 0) expect((await who(page))[0]).toBe('Person');
    }
    // The fifth link of a message makes a burst, so the clicks before it are a program's as well.
    await expect.poll(() => who(page)).toEqual(Array(5).fill('Program'));
    expectWithinASecond(delays, Math.max(slow, await slowness()));
    const before = await count(page);
    await click(FIREFOX, 'HEAD');
    await click('curl/8.5.0');
    await expect.poll(() => count(page)).toBe(before + 1);
    expect((await who(page))[0]).toBe('Program');
    expect(await page.locator('.live-rate').textContent()).toMatch(
      /^In the last minute: \d+ by people, [1-9]\d* by programs$/,
    );
    expect(complaints).toEqual([]);
  });
});

test('with a filter, a click that it lets through shows within a second, and no other', async () => {
  const [autumn, winter] = [await issue('autumn'), await issue('winter')];
  await visit(browser, `${live}?campaign=autumn`, {}, async ({ page, complaints }) => {
    await isConnected(page);
    await page.evaluate(OBSERVE);
    const slow = await slowness();
    const delays: number[] = [];
    for (const n of [0, 1, 2]) {
      await follow(winter[n], 'curl/8.5.0');
      const at = await follow(autumn[n]);
      await expect.poll(() => count(page)).toBe(n + 1);
      delays.push((await page.evaluate<number>(CHANGED_AT)) - at);
    }
    expectWithinASecond(delays, Math.max(slow, await slowness()));
    const rate = page.locator('.live-rate');
    expect(await rate.textContent()).toBe('In the last minute: 3 by people, 0 by programs');
    await page.reload();
    await expect.poll(() => rate.textContent()).toMatch(/: 3 by people, 0 by programs$/);
    expect(complaints).toEqual([]);
  });
  await visit(browser, live, { javaScriptEnabled: false }, async ({ page }) => {
    await page.fill('input[name="campaign"]', 'winter');
    await page.click('form.filters button');
    expect(await who(page)).toEqual(Array(3).fill('Program'));
  });
});

test('the rate counts the clicks that the page came with', async () => {
  await visit(browser, live, {}, async ({ page }) => {
    await isConnected(page);
    const before = await count(page);
    await click('curl/8.5.0');
    await expect.poll(() => count(page)).toBe(before + 1);
    await page.reload();
    const rate = page.locator('.live-rate');
    await expect.poll(() => rate.textContent()).toMatch(/people, [1-9]\d* by programs$/);
  });
});

/** Whether the table is wider than its box. */
const CUT_OFF = `(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)(document.querySelector('.table'))`;

test('what strangers wrote is text, and nothing is a barrier', async () => {
  await visit(browser, live, {}, async ({ page, complaints }) => {
    await isConnected(page);
    const before = await count(page);
    await click(HOSTILE + LONG_WORD);
    await expect.poll(() => count(page)).toBe(before + 1);
    const row = (await page.locator('tbody tr').first().textContent()) ?? '';
    expect(row.split('<script>').length).toBeGreaterThan(2);
    expect(await page.locator('tbody img, tbody script').count()).toBe(0);
    expect(await page.title()).toBe('Live · clickmilter');
    expect(await barriers(page)).toEqual([]);
    expect(complaints).toEqual([]);
    for (const width of [390, 768, 1440]) {
      await page.setViewportSize({ width, height: 900 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
      // A telephone has all of a click without scrolling sideways.
      if (width === 390) {
        expect(await page.evaluate(CUT_OFF)).toBe(false);
        expect(await barriers(page)).toEqual([]);
      }
      const folder = process.env['SCREENSHOTS'];
      if (folder) await page.screenshot({ path: `${folder}/live-${width}.png`, fullPage: true });
    }
  });
});

test('the page holds while it is paused, and loses nothing', async () => {
  await visit(browser, live, {}, async ({ page }) => {
    await isConnected(page);
    const pause = page.locator('.live-pause');
    await pause.click();
    const before = await count(page);
    await click();
    await expect.poll(() => pause.textContent()).toBe('Resume (1 new)');
    expect(await count(page)).toBe(before);
    await pause.click();
    expect(await pause.textContent()).toBe('Pause');
    expect(await count(page)).toBe(before + 1);
  });
});

/** Has a page believe that its tab is in the background, or in front again. */
const setHidden = (page: Page, hidden: boolean) =>
  page.evaluate(`Object.defineProperty(document, 'hidden', { value: ${hidden}, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'))`);

test('tabs in the background leave the connections of the browser to the others', async () => {
  await visit(browser, live, {}, async ({ page }) => {
    await isConnected(page);
    // More than the six connections that Chromium has to a host.
    for (let tabs = 1; tabs < 8; tabs++) {
      const before = page.context().pages().at(-1) ?? page;
      await setHidden(before, true);
      const next = await page.context().newPage();
      await next.goto(live);
      await isConnected(next);
    }
    await click('while it was in the background');
    await setHidden(page, false);
    await expect.poll(() => page.locator('tbody tr').first().textContent()).toContain('background');
  });
});

test('the table is bounded', async () => {
  await visit(browser, live, {}, async ({ page }) => {
    await isConnected(page);
    const fields = '"timestamp":"1795000000","is_automatic":false';
    const event = `'{"msys":{"track_event":{"event_id":"n-' .. n .. '",${fields}}}}'`;
    const add = `redis.call('XADD', KEYS[1], '*', 'event', ${event})`;
    for (let n = 49; n < 250; n += 50) {
      // No more than are sent at a time.
      await redis.cli('eval', `for n = ${n - 49}, ${n} do ${add} end`, '1', 'clickmilter:events');
      await expect.poll(() => page.locator(`[data-row="n-${n}"]`).count()).toBe(1);
    }
    await expect.poll(() => count(page)).toBe(200);
  });
});

test('without scripts, the last clicks are there', async () => {
  await click('without scripts');
  await visit(browser, live, { javaScriptEnabled: false }, async ({ page, complaints }) => {
    await expect
      .poll(async () => {
        await page.reload();
        return page.locator('tbody tr').first().textContent();
      })
      .toContain('without scripts');
    expect(await page.locator('.live-pause:visible').count()).toBe(0);
    expect(complaints).toEqual([]);
  });
});

test('it says that the store is away, and goes on when it is back', async () => {
  await visit(browser, live, {}, async ({ page }) => {
    await isConnected(page);
    await redis.kill();
    await expect.poll(() => status(page)).toBe('The store is away: clicks follow when it is back.');
    await redis.start();
    await isConnected(page);
    // The links are gone with the memory of this Redis.
    links = await issue();
    next = 0;
    await click('after the break');
    await expect.poll(() => page.locator('tbody tr').first().textContent()).toContain('after the');
  });
});

test('after a restart of the service, the page goes on by itself', async () => {
  await visit(browser, live, {}, async ({ page }) => {
    await isConnected(page);
    await service.kill();
    await expect.poll(() => status(page)).toBe('Not connected: trying again.');
    await service.start();
    await isConnected(page);
    await click('after a restart');
    await expect.poll(() => page.locator('tbody tr').first().textContent()).toContain('restart');
  });
});
