import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MessageFacts, TrackedLink } from '../../src/link/message-facts.ts';
import { encodeRecord, linkLines, OpenRecord, sharedIdOf } from '../../src/link/message-record.ts';
import { decodeSharedLines, encodeSharedLines, sharedLines } from '../../src/link/shared-lines.ts';
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
  expect(new OpenRecord(golden, 'AbCdEfGhIjKlMn-_').contents()).toEqual(GOLDEN_RECORD);
});

test('a record of format 2 that an earlier release wrote, and the lines it shares', () => {
  const golden = Buffer.from(GOLDEN_SHARED, 'base64');
  const [lines, record] = [golden.subarray(0, 135), golden.subarray(135)];
  const shared = decodeSharedLines(lines, sharedIdOf(record) ?? Buffer.alloc(0));
  expect(new OpenRecord(record, 'AbCdEfGhIjKlMn-_', shared).contents()).toEqual(GOLDEN_RECORD);
});

describe('shared lines', () => {
  const links = newsletter({ links: 28, size: 60_000 }).links.map((target) => ({
    target,
    part: 'html' as const,
  }));
  const shared = sharedLines(`${linkLines(links).join('\n')}\n`);
  const own: TrackedLink = { target: 'https://www.shop.example/unsubscribe?u=4711', part: 'html' };
  const record = { message: exampleMessage(), secret: 'AAAABBBBCCCCDDDD', links: [...links, own] };
  const value = encodeRecord(record, linkLines(record.links), shared);

  test('cost a record next to nothing', () => {
    expect(new OpenRecord(value, record.message.messageId, shared).contents()).toEqual(record);
    expect(encodeRecord(record).length).toBeGreaterThan(800);
    expect(value.length).toBeLessThan(320);
  });

  test('are asked for by their id, and no others will do', () => {
    expect(sharedIdOf(value)).toEqual(shared.id);
    expect(sharedIdOf(encodeRecord(record))).toBeUndefined();
    const others = sharedLines('hhttps://other.example/\n');
    for (const wrong of [undefined, others]) {
      expect(() => new OpenRecord(value, 'x', wrong)).toThrow(
        'the links that it shares with other messages are missing',
      );
    }
  });

  test('come back from their own value, unless that was damaged', () => {
    const packed = encodeSharedLines(shared);
    expect(decodeSharedLines(packed, shared.id)).toEqual(shared);
    expect(() => decodeSharedLines(packed, Buffer.alloc(9))).toThrow('not what they were');
    expect(() => decodeSharedLines(Buffer.of(2), shared.id)).toThrow('of format 2');
    expect(() => decodeSharedLines(packed.subarray(0, 50), shared.id)).toThrow();
  });
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
  'Ae2U3U7CMBSAr+EpmhrwD2g3J0L5mzFZvDCRBGIAx0XHykbcWtyGOhKMF76Bj+Sb+CRmbAsshhcw60Vv2p5+55yvjW' +
  '+cuM2XsauFY1erz0YPSkrQvMTbcRDkL8NAuExwpqYrwrMyMFXlSpLULWfUjTSLBFExRuEES9SYrZsJrg4HtljqELSj' +
  'mqv7h7pJKvcrDxjMD4CYz5nnAzEHgc0AXQUrl4Ofjy8guBOCQJg0jNNWsCxdxJrGu6oyluupqZGFkESgFbh0KIcEWs' +
  'Ix4SYx+pWxJyeKZDI4jZ3f+eDHntc3u6ZHrd3nTnwgsZBpCRAtydhAN723jlSm7rIVdkqydl5ar480j1pZUzLhCvBO' +
  'WALudmRW3xfBsV85mS84O22dERXVagjVUO+50+6WYQF+f9rcWcxs5gMdXnOLGSLQ4aFojuAWyqe8BrkH+TPIv4J/9R' +
  'MW7dvhsE8QepQxlohpNAiRpqSBGxj1aWAXfwE=';
const GOLDEN_SHARED =
  'ASvJKCkpsNLXL87IL9BLrUjMLchJ1U9UNTJI0ne2r7A1VEvMLbCutFU1ctNWrapSditKTOfKAOkpttLXLy8v10PRyK' +
  'nkk5+er4RQgSJbl1miXqyjkZaZl6pprWXloK+np6+vp29faGtjp6bEqXS4JSMvJzM5I7VYIUbJMS89NSm/JEZJiQsA' +
  'AkKPPY+0y+xjQ+2UT0vDMBTA7/sUIWdHk1prG4b0NLw52JBtbod0TVuwyRttqlQY+B38hn4S6dK66vAuIznkkn+/9/' +
  'J7z7y4luHLSk6blZz6u+Wj1xOEN+Q4/gQ5Z5iDFKBE1K9Amf2AGXu3lEZHzqFzHaIXL5s1oTzevYUd7gbPc9hvMJq0' +
  'OY+Gh+66UB7qEsWi0gjSVJQVghTpXCBe61oq9Pn+gUAVDdKQ8MaE7RGXXhtNza6xS1y/N7W1ELMW9ArvC64wwxkUCT' +
  '50Rr8K8Vy0NyUCb43zJx8q47l/OH36WfmZpd9l98+q+dvMYcqdAlRmJ5sD64EtA9sKLqsTjvL7xWLGHOfJJYSyJA4Y' +
  'o1sWkIA4M67z0Rc=';

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
    'a target holds no tab and no line break',
  );
});
