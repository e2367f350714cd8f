import { expect, test } from 'vitest';
import { trackLinks } from '../../src/filter/track-links.ts';
import type { LinkIssuer } from '../../src/link/link-store.ts';
import { openMessage } from '../../src/message/open-message.ts';
import { domainMatcher } from '../../src/scope/pattern-matcher.ts';
import type { TrackingOptions } from '../../src/scope/tracking-options.ts';
import { exampleMessage } from '../link/example-message.ts';

const TRACKING = {
  clickTrackingScheme: 'https',
  trackingDomain: 'click.example',
  excludeAppend: domainMatcher([]),
} as TrackingOptions;

/** Its tokens say what they are for. */
const issuer: LinkIssuer = {
  kind: 'sealed',
  maxTarget: 30,
  issue: () => ({
    token: ({ target }) => target.replaceAll(/\W+/g, '-'),
    commit: async () => {},
  }),
};

function read(text: string) {
  const open = openMessage([{ name: 'Content-Type', value: 'text/plain' }]);
  open.write(Buffer.from(text));
  return open.end();
}

test('every link gets its own URL, and those that are not to be tracked none', async () => {
  const text = `http://a.example/1 http://b.example/[[data-msys-clicktrack="0"]]
http://a.example/${'x'.repeat(20)} http://a.example/2[[data-msys-sublink="x/y"]]\n`;
  const { body, links } = await trackLinks(read(text), issuer, exampleMessage(), TRACKING);
  expect(Buffer.concat(body ?? []).toString()).toBe(
    `https://click.example/http-a-example-1 http://b.example/
http://a.example/${'x'.repeat(20)} https://click.example/f/x/y/http-a-example-2\n`,
  );
  expect(links.map(({ reason }) => reason)).toEqual([
    undefined,
    'opted-out',
    'too-long',
    undefined,
  ]);
});

test('links to excluded domains are marked where parameters are appended', async () => {
  const seen: (true | undefined)[] = [];
  const noting: LinkIssuer = {
    kind: 'stored',
    issue: () => ({
      token: ({ asWritten }) => `T${seen.push(asWritten)}`,
      commit: async () => {},
    }),
  };
  const options = { ...TRACKING, excludeAppend: domainMatcher(['s3.example']) };
  const text =
    'http://a.example/s3.example http://S3.example:8080/1?Signature=x http://x.s3.example\n';
  await trackLinks(read(text), noting, exampleMessage({ appendQuery: 'a=b' }), options);
  expect(seen).toEqual([undefined, true, true]);
  await trackLinks(read(text), noting, exampleMessage(), options);
  expect(seen.slice(3)).toEqual([undefined, undefined, undefined]);
});

test('others get their turn while thousands of links are made', async () => {
  const text = Array.from({ length: 2_000 }, (_, i) => `http://a.example/${i}\n`).join('');
  let turns = 0;
  const count = () => {
    turns++;
    timer = setImmediate(count);
  };
  let timer = setImmediate(count);
  const { links } = await trackLinks(read(text), issuer, exampleMessage(), TRACKING);
  clearImmediate(timer);
  expect(links.at(-1)?.url).toBe('https://click.example/http-a-example-1999');
  expect(turns).toBeGreaterThan(3);
});
