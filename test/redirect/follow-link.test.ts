import fc from 'fast-check';
import { expect, test } from 'vitest';
import { trackLinks } from '../../src/filter/track-links.ts';
import { openMessage } from '../../src/message/open-message.ts';
import { tokensIn } from '../../src/redirect/follow-link.ts';
import { domainMatcher } from '../../src/scope/pattern-matcher.ts';
import type { TrackingOptions } from '../../src/scope/tracking-options.ts';
import { exampleMessage } from '../link/example-message.ts';

const TRACKING = {
  clickTrackingScheme: 'https',
  trackingDomain: 'click.example',
  excludeAppend: domainMatcher([]),
} as TrackingOptions;
const TOKEN = `3${'M'.repeat(16)}CCCCCCB`;

/** The path of the URL of a link with this sublink. */
async function pathWith(sublink: string): Promise<string> {
  const open = openMessage([{ name: 'Content-Type', value: 'text/html; charset=utf-8' }]);
  const value = sublink.replace(/[&"<>\r\n]/g, (character) => `&#${character.charCodeAt(0)};`);
  open.write(Buffer.from(`<a href="https://shop.example/" data-msys-sublink="${value}">x</a>`));
  const issuer = {
    kind: 'stored' as const,
    issue: () => ({ token: () => TOKEN, commit: async () => {} }),
  };
  const { urls } = await trackLinks(open.end(), issuer, exampleMessage(), TRACKING);
  return new URL(urls[0] ?? '').pathname;
}

const component = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('?', '#', '%3F', '%2523', 'a?b=c&d=/', 'x#y', '1-component-like-a-token'),
  fc.stringMatching(/^[12346][\w-]{19,30}$/),
);

test.each([
  ['app?screen=offers', 'a query'],
  ['app#offers', 'a fragment'],
  ['app%3Fscreen/%23', 'both, encoded'],
  ['app%253Fscreen', 'a query, encoded twice'],
  ['2026-11-30-black-friday/'.repeat(9), 'components like tokens'],
])('a token behind the sublink %s is found', async (sublink) => {
  const path = await pathWith(sublink);
  expect(path).toMatch(/^\/f\/.+/);
  for (const appended of ['', ')', '/index.html', '%3Fa=/1', '/1-component-like-a-token']) {
    expect(tokensIn(path + appended), path + appended).toContain(TOKEN);
  }
});

test('a token is found behind any sublink', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(component, { minLength: 1, maxLength: 30 }), async (components) => {
      const path = await pathWith(components.join('/'));
      // Gateways encode links, some of them twice; a few do not encode the slash.
      for (const one of [path, encodeURI(path), encodeURIComponent(path).replace('%2F', '/')]) {
        expect(tokensIn(one), one).toContain(TOKEN);
        expect(tokensIn(one).length).toBeLessThanOrEqual(4);
      }
    }),
  );
});
