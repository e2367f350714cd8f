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
  const { violations } = await page.evaluate<AxeResults>('axe.run()');
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html}: ${failureSummary}`),
    );
}
