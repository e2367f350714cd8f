import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRedirect } from '../../src/redirect/redirect.ts';
import { RedirectServer } from '../../src/redirect/redirect-server.ts';
import { startBrowser } from '../helpers/browser.ts';
import { httpDefaults } from '../helpers/option-defaults.ts';
import { FakeLinks, resolvedLink, tokenNamed } from './fake-links.ts';

/** The smallest telephones, a usual one, and a desktop. */
const SCREENS = [
  { width: 320, height: 480 },
  { width: 390, height: 844 },
  { width: 1280, height: 800 },
];

/** What a person sees of a page; evaluated in the browser. */
interface Look {
  readonly heading: string;
  readonly smallest: number;
  readonly overflow: boolean;
  readonly scripts: number;
  readonly inView: boolean;
}
const LOOK = `(() => {
  const texts = [...document.querySelectorAll('h1, p')];
  return {
    heading: document.querySelector('h1').textContent,
    smallest: Math.min(...texts.map((one) => parseFloat(getComputedStyle(one).fontSize))),
    overflow: document.documentElement.scrollWidth > innerWidth,
    scripts: document.scripts.length,
    inView: texts.every((one) => {
      const box = one.getBoundingClientRect();
      return box.top >= 0 && box.bottom <= innerHeight && box.width > 200;
    }),
  };
})()`;
const COLOURS = `(() => {
  const { color, backgroundColor } = getComputedStyle(document.body);
  return [color, backgroundColor];
})()`;

let browser: Browser;
let server: RedirectServer;
let base: string;
const links = new FakeLinks();
const arrived: string[] = [];
const target = createServer((request, response) => {
  arrived.push(request.url ?? '');
  response.end('<title>Arrived</title>');
});

beforeAll(async () => {
  browser = await startBrowser();
  server = new RedirectServer(
    createRedirect({
      resolver: links,
      blocks: links,
      optOuts: links,
      clicks: links,
      ...httpDefaults,
    }),
    httpDefaults,
  );
  const listening = await server.listen({ host: '127.0.0.1', port: 0 });
  base = `http://localhost:${(listening.address() as AddressInfo).port}`;
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  links.links.set(tokenNamed('blocked'), resolvedLink({}, { domain: 'localhost' }));
  links.blocked.add(tokenNamed('blocked'));
});
afterAll(async () => {
  await browser?.close();
  await server?.close(0);
  target.close();
});

async function visit<T>(
  path: string,
  options: Parameters<Browser['newContext']>[0],
  look: (page: Page, requests: string[], errors: string[]) => Promise<T>,
): Promise<T> {
  const context = await browser.newContext(options);
  try {
    const page = await context.newPage();
    const requests: string[] = [];
    const errors: string[] = [];
    page.on('request', (request) => requests.push(new URL(request.url()).pathname));
    page.on('console', (message) => errors.push(message.text()));
    await page.goto(`${base}${path}`);
    return await look(page, requests, errors);
  } finally {
    await context.close();
  }
}

describe.each([
  ['/unknown<script>alert(1)</script>', 404, 'This link leads nowhere'],
  [`/${tokenNamed('blocked')}`, 410, 'This link has been switched off'],
  [`/${tokenNamed('away')}`, 503, 'Please try again in a moment'],
])('the page at %s', (path, status, title) => {
  test.each(SCREENS)('is readable at $width × $height', async (viewport) => {
    await visit(path, { viewport }, async (page, requests, errors) => {
      expect(await page.title()).toBe(title);
      const { heading, smallest, overflow, scripts, inView } = await page.evaluate<Look>(LOOK);
      expect(heading).toBe(title);
      expect(smallest).toBeGreaterThanOrEqual(16);
      expect(overflow).toBe(false);
      expect(scripts).toBe(0);
      expect(inView).toBe(true);
      // The browser itself asks for /favicon.ico; nothing else is loaded, nothing refused by the policy.
      expect(requests.filter((one) => one !== '/favicon.ico')).toHaveLength(1);
      expect(errors.filter((one) => !one.includes(String(status)) && !one.includes('404'))).toEqual(
        [],
      );
      const folder = process.env['SCREENSHOTS'];
      if (folder) await page.screenshot({ path: `${folder}/${status}-${viewport.width}.png` });
    });
  });

  test('has enough contrast, by day and by night', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const viewport = { width: 390, height: 844 };
      await visit(path, { viewport, colorScheme }, async (page) => {
        const [text, background] = await page.evaluate<string[]>(COLOURS);
        expect(contrast(text ?? '', background ?? '')).toBeGreaterThan(7);
        const folder = process.env['SCREENSHOTS'];
        if (folder) await page.screenshot({ path: `${folder}/${status}-${colorScheme}.png` });
      });
    }
  });
});

test('a browser arrives where the link led, byte for byte', async () => {
  const { port } = target.address() as AddressInfo;
  const path = "/a%2Fb/c;d=e?q=1&r=%E4&s='x'&t=%C3%BC+|~";
  links.links.set(
    tokenNamed('live'),
    resolvedLink({ target: `http://127.0.0.1:${port}${path}#part` }, { domain: 'localhost' }),
  );
  await visit(`/${tokenNamed('live')}`, {}, async (page) => {
    expect(await page.title()).toBe('Arrived');
    expect(new URL(page.url()).hash).toBe('#part');
  });
  // Browsers themselves escape the apostrophe in a query, whatever way it came.
  expect(arrived[0]?.replaceAll('%27', "'")).toBe(path);
  expect(links.clicks).toHaveLength(1);
});

/** The contrast ratio of WCAG 2 between two colours such as rgb(0, 0, 0). */
function contrast(one: string, other: string): number {
  const [lighter = 1, darker = 0] = [one, other].map(luminance).sort((a, b) => b - a);
  return (lighter + 0.05) / (darker + 0.05);
}

function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = (color.match(/\d+/g) ?? []).map((part) => {
    const share = Number(part) / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
