import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { barriers, startBrowser, visit } from '../helpers/browser.ts';
import { freePort } from '../helpers/free-port.ts';
import { listenLocally } from '../helpers/listen-locally.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { type Service, startService } from '../helpers/service.ts';

// A message of a running service, found and changed in a real browser.

const TOKEN = 'a-token-of-this-test';
const HOSTILE = `"><img src=x onerror=document.title='hit'><script>document.title='hit'</script>`;
/** No line is broken in it. */
const LONG_WORD = 'W'.repeat(250);

let redis: Redis;
let service: Service;
let browser: Browser;
let folder: string;
let base: string;
/** The paths of the message's links. */
let links: readonly string[];
let messageId: string;

beforeAll(async () => {
  redis = await startRedis();
  const webPort = await freePort();
  base = `http://127.0.0.1:${webPort}`;
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-token-'));
  const tokenFile = join(folder, 'token');
  await writeFile(tokenFile, TOKEN, { mode: 0o600 });
  service = await startService(`link_store = redis
redis { url = "${redis.url}" }
Web_Listener { Listen "127.0.0.1:${webPort}" { }  token_file = "${tokenFile}" }
log { detail = full }
ESMTP_Listener { click_tracking_enabled = on  tracking_domain = "localhost" }`);
  const client = await connectMilter({ host: '127.0.0.1', port: service.milterPort });
  const name = HOSTILE.replaceAll('"', '&quot;').slice(0, 63);
  const anchors = Array.from(
    { length: 5 },
    (_, n) => `<a href="https://shop.example/${n}" data-msys-linkname="${name}">${n}</a>\r\n`,
  );
  const head = `Subject: ${HOSTILE}${LONG_WORD}\r\nContent-Type: text/html\r\n\r\n`;
  const { message } = await client.send({ message: Buffer.from(`${head}${anchors.join('')}`) });
  await client.quit();
  const paths = [...message.toString().matchAll(/href="http:\/\/localhost(\/[^"]+)"/g)];
  links = paths.map(([, path = '']) => path);
  messageId = links[0]?.slice(2, 18) ?? '';
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  await service?.stop();
  await redis?.stop();
  await rm(folder, { recursive: true });
});

/** Where a link leads; 410 where it is blocked. */
async function follow(position: number): Promise<string | number | null> {
  const url = `http://localhost:${service.httpPort}${links[position]}`;
  const { status, headers } = await fetch(url, { redirect: 'manual' });
  return status === 302 ? headers.get('location') : status;
}

async function logIn(page: Page): Promise<void> {
  await page.goto(`${base}/login`);
  await page.locator('input[name="token"]').fill(TOKEN);
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.goto(`${base}/message?find=${messageId}`);
}

test.each([true, false])('links are changed by forms; scripts: %s', async (javaScriptEnabled) => {
  const options = { javaScriptEnabled };
  await visit(browser, `${base}/login`, options, async ({ page, complaints }) => {
    await logIn(page);
    const row = page.locator('tbody tr').nth(2);
    const press = async (name: string) => {
      await row.locator('summary').click();
      await row.getByRole('button', { name, exact: true }).click();
      await page.locator('p[role="status"]').waitFor();
    };
    await press('Block');
    expect(await row.textContent()).toContain('Blocked (token)');
    expect([await follow(2), await follow(1)]).toEqual([410, 'https://shop.example/1']);
    await press('Unblock');
    expect(await follow(2)).toBe('https://shop.example/2');
    await row.locator('summary').click();
    await row.locator('input[name="to"]').fill('https://shop.example/right');
    await row.locator('input[name="why"]').fill(HOSTILE);
    await row.getByRole('button', { name: 'Retarget', exact: true }).click();
    await page.locator('p[role="status"]').waitFor();
    expect(await row.textContent()).toContain(HOSTILE);
    expect(await follow(2)).toBe('https://shop.example/right');
    await press('Undo retarget');
    expect(await follow(2)).toBe('https://shop.example/2');
    expect(await page.title()).toBe('Message · clickmilter');
    expect(complaints).toEqual([]);
  });
  const lines = service.log().filter(({ msg }) => msg === 'rulings changed on the page');
  expect(lines.slice(-4)).toMatchObject(
    ['block', 'unblock', 'retarget', 'undo'].map((action) => ({
      action,
      messageId,
      by: expect.stringMatching(/^login from 127\.0\.0\.1, page@/),
    })),
  );
});

test('nothing of the page is a barrier, and it is as wide as the window', async () => {
  await visit(browser, `${base}/login`, {}, async ({ page, complaints }) => {
    await logIn(page);
    await page.locator('summary').first().click();
    expect(await barriers(page)).toEqual([]);
    expect(await page.locator('main img, main script').count()).toBe(0);
    for (const width of [390, 768, 1440]) {
      await page.setViewportSize({ width, height: 900 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
      const folder = process.env['SCREENSHOTS'];
      if (folder) await page.screenshot({ path: `${folder}/message-${width}.png`, fullPage: true });
    }
    expect(complaints).toEqual([]);
  });
});

test('the page of a stranger changes nothing, although the browser is logged in', async () => {
  const fields = { action: 'block', what: messageId, form_token: '' };
  const inputs = Object.entries(fields).map(
    ([name, value]) => `<input name="${name}" value="${value}">`,
  );
  const stranger = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end(
      `<form action="${base}/message/change" method="post">${inputs.join('')}<button>Win</button></form>`,
    );
  });
  const port = await listenLocally(stranger);
  try {
    await visit(browser, `${base}/login`, {}, async ({ page }) => {
      await logIn(page);
      // Another site for the browser, too: its cookies are of the name.
      for (const host of ['localhost', '127.0.0.1']) {
        await page.goto(`http://${host}:${port}/`);
        const answered = page.waitForResponse(`${base}/message/change`);
        await page.getByRole('button').click();
        expect((await answered).status()).toBe(403);
        expect(await follow(0)).toBe('https://shop.example/0');
      }
    });
  } finally {
    stranger.close();
    stranger.closeAllConnections();
  }
});
