import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MessageFacts, TrackedLink } from '../../src/link/message-facts.ts';
import { encodeRecord, OpenRecord } from '../../src/link/message-record.ts';
import { newsletter } from '../helpers/newsletter.ts';
import { exampleLinks, exampleMessage } from './example-message.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 30 });
const optional = fc.record(
  {
    queueId: text,
    sender: text,
    friendlyFrom: text,
    subject: text,
    size: fc.nat(),
    campaignId: text,
    metadata: fc.dictionary(text, fc.jsonValue() as fc.Arbitrary<unknown>),
    tags: fc.array(text),
    pathway: text,
  },
  { requiredKeys: [] },
);
const needed = fc.record({
  injectionTime: fc.nat(2 ** 33),
  expires: fc.nat(2 ** 33),
  domain: text,
  recipients: fc.array(text),
});
const link = fc.record(
  {
    target: fc.webUrl({ withQueryParameters: true }),
    part: fc.constantFrom('text', 'html'),
    name: text,
  },
  { requiredKeys: ['target', 'part'] },
);

describe('what is encoded comes back', () => {
  test('whatever it is', () => {
    fc.assert(
      fc.property(needed, optional, fc.array(link), (facts, more, links) => {
        const message = JSON.parse(
          JSON.stringify({ messageId: 'x', ...facts, ...more }),
        ) as MessageFacts;
        const record = { message, secret: 's', links: links as TrackedLink[] };
        const open = new OpenRecord(encodeRecord(record), 'x');
        expect(open.contents()).toEqual(record);
        expect(open.linkCount).toBe(links.length);
        for (const [index, expected] of links.entries()) expect(open.link(index)).toEqual(expected);
        expect(open.link(links.length)).toBeUndefined();
      }),
    );
  });

  test('of a message with 20,000 links, in linear time', () => {
    const links = Array.from({ length: 20_000 }, (_, i) => ({
      target: `https://shop.example/${i}?${'x'.repeat(80)}`,
      part: 'html' as const,
    }));
    const message = exampleMessage();
    const value = encodeRecord({ message, secret: 's', links });
    const start = performance.now();
    expect(new OpenRecord(value, message.messageId).contents().links).toEqual(links);
    expect(performance.now() - start).toBeLessThan(2_000);
  });
});

test('the links of a newsletter share what they have in common', () => {
  const links = newsletter({ links: 20, size: 40_000 }).links.map((target) => ({
    target,
    part: 'html' as const,
  }));
  const value = encodeRecord({ message: exampleMessage(), secret: 'AAAABBBBCCCCDDDD', links });
  expect(links).toHaveLength(30);
  expect(value.length / links.length).toBeLessThan(26);
});

/** Records already in Redis must be readable for as long as their links are: for years. */
test('a record of format 1 that an earlier release wrote', () => {
  const golden = Buffer.from(GOLDEN, 'base64');
  const open = new OpenRecord(golden, 'AbCdEfGhIjKlMn-_');
  expect(open.contents()).toEqual(GOLDEN_RECORD);
});

const GOLDEN_RECORD = {
  message: exampleMessage({
    messageId: 'AbCdEfGhIjKlMn-_',
    injectionTime: 1_795_000_000,
    expires: 1_826_536_000,
  }),
  secret: 'Zm9vYmFyYmF6cXV4',
  links: exampleLinks,
};
const GOLDEN =
  'Ae2U3U7CMBTH732K5hjwa9BuIEL5mjFZvDCRBGIAx8XGuo24rbgNdSQYL3wDH8k38UnM2CYsxhcw60Uv2p7T///015' +
  'PcOHVbTxNXiSau0piP7+qZgtY52Y4/hfzWMOQu4x6Tsx3uWzkxlfqFKMpbnfFrZC5SiXV9HE2JqOnzdSuVq8LQ5ksV' +
  'UCeuubwf1Eut3K58pLMgRNw0mR8gbqLQZkhbhSvXQ19vH4h7ToRCbmhRYrtOJLGWgJqcqkhEamSsxhQCjYUKsHQ0Dy' +
  'hY3DFgkzL9zNiDE2cyGMwS6nc8BCCAA7SR8i4BhRtucRCgBhQ+323PWcxtFiAVLj2L6TxUATabHSIxCPsuU3pogm9W' +
  'MKyVJKLjq/5LVyxr7rIddUuSclZarw8VX7PyXOXT/SCXW35dhEeBcGwuPHbSPqUyrlYxruL+Y7fTK8MuXy7I4Z6Fi6' +
  'moQcFB8Q2KVvCvOuGBfT0aDSjG9xIhIjX0JqXijDZJk+CBFtoH3w==';

test.each([
  ['nothing', Buffer.alloc(0)],
  ['another format', Buffer.of(9, 1, 2)],
  ['a format and nothing', Buffer.of(1)],
  ['what is not deflated', Buffer.from('\x01hello')],
  ['half a record', Buffer.from(GOLDEN, 'base64').subarray(0, 100)],
])('%s is refused', (_, value) => {
  expect(() => new OpenRecord(value, 'x')).toThrow();
});

test('a target with a line break cannot be stored', () => {
  const links = [{ target: 'https://a.example/\nx', part: 'text' as const }];
  expect(() => encodeRecord({ message: exampleMessage(), secret: 's', links })).toThrow(
    'a target must not hold a line break',
  );
});
