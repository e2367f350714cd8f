import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Html, html } from '../../src/web/html.ts';
import { page } from '../../src/web/layout.ts';
import { shownCount } from '../../src/web/numbers.ts';
import { plot } from '../../src/web/table.ts';
import { barriers, startBrowser, visit } from '../helpers/browser.ts';
import { listenLocally } from '../helpers/listen-locally.ts';

// plots.js on a page of its own, under the policy of the engagement page.

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'";
const UPLOT = import.meta.resolve('uplot/dist/uPlot.esm.js');

interface Row {
  readonly first: Html;
  readonly x: number;
  readonly people: number;
  readonly automatic: number;
  readonly messages: number;
}
const FIGURES: Readonly<Record<'time' | 'log-hours' | 'bars', readonly Row[]>> = {
  time: Array.from({ length: 9 }, (_, n) => ({
    first: html`<time datetime="2026-11-0${n + 1}">${n + 1} November</time>`,
    x: Date.UTC(2026, 10, n + 1) / 1000,
    people: 17 * n,
    automatic: 300 - n * n,
    messages: 1000 * n,
  })),
  'log-hours': [1, 2, 6, 24, 100].map((hours) => ({
    first: html`<data value="${hours}">${hours} h</data>`,
    x: hours,
    people: hours * 10,
    automatic: hours,
    messages: 0,
  })),
  bars: ['A name that is too long for the room it has on a telephone', '<b>'].map((name, x) => ({
    first: html`${name}`,
    x,
    people: 40 + x,
    automatic: 7,
    messages: 0,
  })),
};

const number = (value: number) => html`<data value="${value}">${shownCount(value)}</data>`;
const drawing = (kind: keyof typeof FIGURES) =>
  plot<Row>({
    kind,
    label: kind,
    columns: [
      { title: 'Where', cell: ({ first }) => first },
      { title: 'People', series: 'people', cell: ({ people }) => number(people) },
      { title: 'Share', cell: () => '1%' },
      { title: 'Automatic', series: 'automatic', cell: ({ automatic }) => number(automatic) },
      kind === 'time'
        ? { title: 'Messages', series: 'messages', cell: ({ messages }) => number(messages) }
        : { title: 'Messages', cell: ({ messages }) => number(messages) },
    ],
    rows: FIGURES[kind],
    csv: '/rows.csv',
  });
const PAGE = `${page({
  title: 'Plots',
  path: '/',
  content: [drawing('time'), drawing('log-hours'), drawing('bars')],
})}`;

const server = createServer((request, response) => {
  const [, name] = /^\/assets\/([\w.-]+)$/.exec(request.url ?? '') ?? [];
  if (!name) {
    response.setHeader('Content-Type', 'text/html');
    response.setHeader('Content-Security-Policy', POLICY);
    response.end(PAGE);
    return;
  }
  response.setHeader('Content-Type', name.endsWith('.css') ? 'text/css' : 'text/javascript');
  const ours = new URL(`../../src/web/browser/${name}`, import.meta.url);
  const file = name.startsWith('uPlot') ? new URL(name, UPLOT) : ours;
  response.end(readFileSync(file));
});
let browser: Browser;
let url: string;
beforeAll(async () => {
  url = `http://127.0.0.1:${await listenLocally(server)}/`;
  browser = await startBrowser();
});
afterAll(async () => {
  await browser?.close();
  server.close();
});

/** What uPlot was given to draw. */
const drawn = (page: Page) =>
  page.evaluate<Record<string, number[][]>>(`import('/assets/plots.js').then(({ plots }) =>
    Object.fromEntries([...plots].map(([figure, { data }]) =>
      [figure.dataset.plot, data.map((values) => [...values])])))`);

/** How many pixels of each plot have this colour. */
const pixels = (page: Page, series: string) =>
  page.evaluate<number[]>(`(() => {
    const canvases = [...document.querySelectorAll('figure.plot canvas')];
    return canvases.map((canvas) => {
      const name = getComputedStyle(canvas).getPropertyValue('--series-${series}').trim();
      const [red, green, blue] = name.match(/\\w\\w/g).map((part) => parseInt(part, 16));
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      let found = 0;
      for (let at = 0; at < data.length; at += 4) {
        if (data[at] === red && data[at + 1] === green && data[at + 2] === blue) found++;
      }
      return found;
    });
  })()`);

const WIDTHS = [390, 768, 1440];

test.each(WIDTHS)('at %d pixels each figure is drawn from its table', async (width) => {
  const viewport = { width, height: 900 };
  await visit(browser, url, { viewport }, async ({ page, complaints }) => {
    await page.waitForSelector('figure:nth-of-type(3) canvas');
    const plots = await drawn(page);
    for (const [kind, rows] of Object.entries(FIGURES)) {
      const people = rows.map((row) => row.people);
      const automatic = rows.map((row) => row.automatic);
      // Bars stand on one another.
      const both = rows.map((row) => row.people + row.automatic);
      const messages = rows.map((row) => row.messages);
      const lines = [people, automatic, ...(kind === 'time' ? [messages] : [])];
      const values = kind === 'bars' ? [both, people] : lines;
      expect(plots[kind], kind).toEqual([rows.map(({ x }) => x), ...values]);
    }
    for (const series of ['people', 'automatic']) {
      for (const found of await pixels(page, series)) expect(found).toBeGreaterThan(50);
    }
    expect((await pixels(page, 'messages'))[0]).toBeGreaterThan(50);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    expect(await page.locator('details[open]').count()).toBe(0);
    expect(complaints).toEqual([]);
    const folder = process.env['SCREENSHOTS'];
    if (folder) await page.screenshot({ path: `${folder}/plots-${width}.png`, fullPage: true });
  });
});

test.each([
  ['day', '2026-11-01', 86_400],
  ['hour', '2026-11-01T14:00Z', 3600],
])('a lone %s has room for others on its axis', async (_unit, time, step) => {
  await visit(browser, url, {}, async ({ page }) => {
    await page.waitForSelector('figure:nth-of-type(3) canvas');
    await page.evaluate(`(() => {
      const [row, ...others] = document.querySelectorAll('[data-plot="time"] tbody tr');
      row.querySelector('time').dateTime = '${time}';
      for (const one of others) one.remove();
    })()`);
    await page.setViewportSize({ width: 900, height: 800 });
    const axis = () =>
      page.evaluate(`import('/assets/plots.js').then(({ plots }) =>
        [...plots.values()].map(({ scales }) => scales.x.max - scales.x.min)[0])`);
    await expect.poll(axis).toBe(7 * step);
  });
});

test('the colours follow dark mode, and paper is light', async () => {
  await visit(browser, url, { colorScheme: 'dark' }, async ({ page, complaints }) => {
    await page.waitForSelector('figure:nth-of-type(3) canvas');
    const people = () =>
      page.evaluate('getComputedStyle(document.body).getPropertyValue("--series-people").trim()');
    const dark = await people();
    await expect.poll(async () => Math.min(...(await pixels(page, 'people')))).toBeGreaterThan(50);
    for (const media of [
      { colorScheme: 'light' },
      { colorScheme: 'dark', media: 'print' },
    ] as const) {
      await page.emulateMedia(media);
      expect(await people()).not.toBe(dark);
      await expect
        .poll(async () => Math.min(...(await pixels(page, 'people'))))
        .toBeGreaterThan(50);
    }
    expect(complaints).toEqual([]);
  });
});

test('on paper plots are as wide as that, and in the window as before', async () => {
  await visit(browser, url, { colorScheme: 'dark' }, async ({ page }) => {
    await page.waitForSelector('figure:nth-of-type(3) canvas');
    const widths = 'plots.values().map(({ width }) => width).toArray()';
    await page.evaluate(`import('/assets/plots.js').then(({ plots }) => {
      window.widths = () => ${widths};
      window.printed = [];
      matchMedia('print').onchange = () => printed.push(window.widths());
    })`);
    const before = await page.evaluate<number[]>('widths()');
    await page.pdf({ format: 'A4' });
    expect(await page.evaluate('printed[0]')).toEqual([640, 640, 640]);
    await expect.poll(() => page.evaluate('widths()')).toEqual(before);
  });
});

test.each(['light', 'dark'] as const)(
  'nothing of it is a barrier in %s mode',
  async (colorScheme) => {
    await visit(browser, url, { colorScheme }, async ({ page }) => {
      await page.waitForSelector('figure:nth-of-type(3) canvas');
      await page.locator('summary').first().click();
      expect(await barriers(page)).toEqual([]);
    });
  },
);

test('a plot follows the width of the window', async () => {
  await visit(browser, url, {}, async ({ page, complaints }) => {
    const width = () => page.evaluate('document.querySelector("canvas").clientWidth');
    for (const wide of [390, 1000, 500]) {
      await page.setViewportSize({ width: wide, height: 800 });
      await expect.poll(width).toBe(wide - (wide < 640 ? 58 : 66));
    }
    expect(complaints).toEqual([]);
  });
});

test('arrow keys read the values of each row', async () => {
  await visit(browser, url, {}, async ({ page }) => {
    for (const [kind, rows] of Object.entries(FIGURES)) {
      const figure = page.locator(`figure[data-plot="${kind}"]`);
      await figure.locator('[role="img"]').focus();
      const labels = await figure.locator('tbody th').allTextContents();
      for (const [n, row] of rows.entries()) {
        await page.keyboard.press(kind === 'bars' ? 'ArrowDown' : 'ArrowRight');
        const messages = kind === 'time' ? `, Messages ${shownCount(row.messages)}` : '';
        const told = `${labels[n]}: People ${shownCount(row.people)}, Automatic ${row.automatic}${messages}`;
        await expect.poll(() => figure.locator('output').textContent()).toBe(told);
      }
    }
  });
});

test('without scripts the tables are all there, and no empty room for plots', async () => {
  await visit(browser, url, { javaScriptEnabled: false }, async ({ page, complaints }) => {
    expect(await page.locator('table:visible').count()).toBe(3);
    expect(await page.locator('.canvas:visible').count()).toBe(0);
    expect(await page.locator('td:visible').count()).toBe(4 * (9 + 5 + 2));
    expect(complaints).toEqual([]);
  });
});
