import { writeFile } from 'node:fs/promises';
import axe, { type AxeResults } from 'axe-core';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { requireProgram } from './peer-process.ts';

const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts the system's Chromium, which reports to nobody. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: requireProgram('chromium', 'chromium'), args: FLAGS });
}

/** A page that is open, and what it complained of: console errors, exceptions, violations of its policy. */
export interface OpenPage {
  readonly page: Page;
  readonly complaints: string[];
}

/** Opens a page in a context of its own, which is closed after `look`. */
export async function visit<T>(
  browser: Browser,
  url: string,
  options: BrowserContextOptions,
  look: (open: OpenPage) => Promise<T>,
): Promise<T> {
  const context = await browser.newContext(options);
  try {
    const page = await context.newPage();
    const complaints: string[] = [];
    // Chromium reports violations of the Content-Security-Policy as console errors.
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(url);
    return await look({ page, complaints });
  } finally {
    await context.close();
  }
}

/** What axe-core finds that keeps people from using a page: its rules, and the elements that break them. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<AxeResults>(
    "axe.run({ resultTypes: ['violations'], preload: false })",
  );
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`),
    );
}

/**
 * Writes a picture of a whole page, or of one of its elements, as WebP: a third of the bytes of PNG.
 * It has at most the first 1,400 pixels.
 */
export async function writePicture(page: Page, file: string, selector = 'html'): Promise<void> {
  const clip = await page.evaluate<{
    x: number;
    y: number;
    width: number;
    height: number;
  }>(`(() => {
    const box = document.querySelector('${selector}').getBoundingClientRect();
    const height = Math.min(1400, box.height);
    return { x: box.left + scrollX, y: box.top + scrollY, width: box.width, height };
  })()`);
  const png = await page.screenshot({ fullPage: true, clip });
  const webp = await page.evaluate<string>(`(async () => {
    const bytes = Uint8Array.fromBase64('${png.toString('base64')}');
    const bitmap = await createImageBitmap(new Blob([bytes]));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    canvas.getContext('2d').drawImage(bitmap, 0, 0);
    const blob = await canvas.convertToBlob({ type: 'image/webp', quality: 0.5 });
    return new Uint8Array(await blob.arrayBuffer()).toBase64();
  })()`);
  await writeFile(file, Buffer.from(webp, 'base64'));
}
