import { describe, expect, test } from 'vitest';
import type { MessageFacts, TrackedLink } from '../../src/link/message-facts.ts';
import { parseSealKeys } from '../../src/link/seal-keys.ts';
import { ContentsPacker, unpackContents } from '../../src/link/sealed-contents.ts';
import { openToken } from '../../src/link/sealed-token.ts';
import { exampleMessage } from './example-message.ts';

const keys = parseSealKeys(
  '5c 2026-11-23T00:00:00Z lU0pmnUZ3JmqnEmtEkr5bdkqPRYmV2j2cF0n1n3xQ2o\n',
  'keys',
);
const message = exampleMessage({
  messageId: 'AbCdEfGhIjKlMn-_',
  injectionTime: 20_780 * 86_400 + 70_000,
  expires: 20_780 * 86_400 + 70_000 + 365 * 86_400,
  recipients: ['a@x.example'],
});
const { messageId, injectionTime, expires, domain } = message;
const least = { messageId, injectionTime, expires, domain, recipients: [] };
const link: TrackedLink = { target: 'https://www.QQQ/', part: 'text' };
const long = { pathway: 'p'.repeat(200), metadata: { a: 'm'.repeat(200) } };
const short = { pathway: 'p', metadata: { a: 1 }, tags: ['g'], queueId: 'q', subject: 's' };

interface Golden {
  readonly facts: MessageFacts;
  readonly link: TrackedLink;
  /** What is sealed, with `<hex>` for bytes that are not printable. */
  readonly contents: string;
  readonly token: string;
  /** What the token tells beside id, times and host. */
  readonly opened: Partial<MessageFacts>;
}

/** Sealed links are in inboxes: later releases write and open the same contents. */
const GOLDEN: Readonly<Record<string, Golden>> = {
  'every fact that has room': {
    facts: message,
    link: { ...link, part: 'html', name: 'Logo' },
    contents:
      '_<01><11>p<ed><02><0b>autumn-2026<04>Logo<0b>a@x.exampleZ{"p":"newsletters",' +
      '"m":{"user":4711,"plan":"gold"},"g":["weekly","de"],"q":"4bXyZ01abcz9"}<80>QQQ/',
    token:
      '4XFEsAbCdEfGhIjKlMn-_fr96nwBsVXJfS2W28tocxzN7dKxdXoOXqAm341HUSbOUUXMCnMJB7jeVqp11XRl-uFBqLfAf' +
      'e2rtshNdbNqEchSSxO5zwcKFrGpLjlt6fmHvxPhn8g5N9fyGBxedJcChf93LqkheKWZ0WF4rdG9wliXs4QPxHiY6utYN_' +
      'YENzUHgsj6HEAVW0bBXpZZx80OaDeHt6w',
    opened: {
      recipients: ['a@x.example'],
      campaignId: 'autumn-2026',
      pathway: 'newsletters',
      metadata: { user: 4711, plan: 'gold' },
      tags: ['weekly', 'de'],
      queueId: '4bXyZ01abcz9',
    },
  },
  'as few facts as possible': {
    facts: least,
    link,
    contents: '<02><01><11>p<ed><02><80>QQQ/',
    token: '4XFEsAbCdEfGhIjKlMn-_aqfaGACmpkuBwUhCo8fKqzkGlKgLqxNwVxJSbA',
    opened: { recipients: [] },
  },
  'a number of recipients': {
    facts: { ...least, recipients: ['a@x', 'b@x'] },
    link,
    contents: '"<01><11>p<ed><02><02><80>QQQ/',
    token: '4XFEsAbCdEfGhIjKlMn-_sisRCQD_19jwQHkQPrQAYB2gy7_nWZsAcaVUDH8',
    opened: { recipients: [], recipientCount: 2 },
  },
  'an expiry in seconds': {
    facts: { ...least, expires: injectionTime + 90 },
    link,
    contents: '<00><01><11>pZ<80>QQQ/',
    token: '4XFEsAbCdEfGhIjKlMn-_xP8lrwA3o2h34etfceKjHN7Nmnxpm8i7rnfYA',
    opened: { recipients: [] },
  },
  'a target outside ASCII': {
    facts: least,
    link: { target: 'https://a.example/ü', part: 'html' },
    contents: '<83><01><11>p<ed><02>https://a.example/<c3><bc>',
    token: '4XFEsAbCdEfGhIjKlMn-_mBxraQAR0RWWg5tmOmlxQZT2W9tRqiugxVgt8jSAK520rGIm9cgifTnmAg',
    opened: { recipients: [] },
  },
  'facts that are too long, but for the last': {
    facts: { ...least, ...long, subject: 'Grüße' },
    link,
    contents: 'B<01><11>p<ed><02><0f>{"j":"Gr<c3><bc><c3><9f>e"}<80>QQQ/',
    token: '4XFEsAbCdEfGhIjKlMn-_gb5kIwBm99Uqtt90oZqlAc6qk-JmectLayBgvfUoV5BkrvkLRe2QOqJeVE8',
    opened: { recipients: [], subject: 'Grüße' },
  },
  'each of the further facts': {
    facts: { ...least, ...short, sender: '' },
    link,
    contents: 'B<01><11>p<ed><02>6{"p":"p","m":{"a":1},"g":["g"],"s":"","q":"q","j":"s"}<80>QQQ/',
    token:
      '4XFEsAbCdEfGhIjKlMn-_IPo1KgBaP8JQeQ6JSjssJC9Qa7yz9AIpKKrad-K3g3tUuB9xDWwg4u4mqjFQ7g_bawJPXgjV' +
      'OQMWowzhgyyP0bRrK6o30SW_kkohWAy_yr7sFK0',
    opened: { recipients: [], ...short, sender: '' },
  },
};

describe.each(Object.entries(GOLDEN))('sealed contents with %s', (_, golden) => {
  test('are written as in earlier releases', () => {
    const packed = new ContentsPacker(golden.facts).pack(golden.link, 32);
    const shown = packed
      .toString('latin1')
      .replace(/[^ -~]/g, (byte) => `<${byte.charCodeAt(0).toString(16).padStart(2, '0')}>`);
    expect(shown).toBe(golden.contents);
    expect(unpackContents(packed, false)?.facts).toEqual(golden.opened);
  });

  test('open from a token of an earlier release', () => {
    const lifetime = golden.facts.expires - injectionTime;
    expect(openToken(keys, golden.token, [domain])).toEqual({
      link: golden.link,
      messageId,
      host: domain,
      injectionTime,
      secondOfDay: 70_000,
      position: 0,
      lifetime,
      facts: golden.opened,
    });
  });
});

test('the place of a link is known up to the 127th, at any second of a day', () => {
  for (const second of [0, 1, 65_535, 65_536, 86_399]) {
    const packer = new ContentsPacker({ ...least, injectionTime: 20_780 * 86_400 + second });
    const unplaced = packer.pack(link, 32);
    expect(unpackContents(unplaced, false)).not.toHaveProperty('position');
    for (let position = 0; position < 200; position++) {
      const packed = packer.pack(link, 32, position);
      expect(packed.length).toBe(unplaced.length);
      const unpacked = unpackContents(packed, false);
      expect(unpacked?.secondOfDay).toBe(second);
      expect(unpacked?.position).toBe(position < 127 ? position : undefined);
    }
  }
});

test('an unsubscribe link says so, however long its target, and beside everything else', () => {
  const all: MessageFacts[] = [message, least, { ...message, customerId: '17' }];
  for (const facts of all) {
    const packer = new ContentsPacker(facts);
    for (let length = 0; length < 400; length += 7) {
      const target = `https://a.example/${'x'.repeat(length)}`;
      const marked: TrackedLink = { target, part: 'html', name: 'Leave', unsubscribe: true };
      const { customerId } = facts;
      for (const sealed of [marked, { target, part: 'text' } as const]) {
        const unpacked = unpackContents(packer.pack(sealed, 32), false);
        expect(unpacked?.link).toEqual(sealed);
        expect(unpacked?.facts.customerId).toBe(customerId);
      }
    }
  }
  const packed = new ContentsPacker(least).pack({ ...link, unsubscribe: true }, 32);
  expect(packed.toString('latin1')).toContain('\x0a{"u":true}');
});

test('what the redirect needs is in every sealed link, however long the target', () => {
  const needed = {
    customerId: 'c'.repeat(64),
    appendQuery: 'utm_source={pathway}&x='.padEnd(128, '1'),
    pathway: 'p'.repeat(10),
  };
  const packer = new ContentsPacker({ ...message, ...needed });
  for (let length = 0; length < 400; length += 7) {
    const target = `https://a.example/${'x'.repeat(length)}`;
    const marked: TrackedLink = { target, part: 'html', unsubscribe: true, asWritten: true };
    const unpacked = unpackContents(packer.pack(marked, 32), false);
    expect(unpacked?.link).toEqual(marked);
    expect(unpacked?.facts).toMatchObject(needed);
  }
});

test('facts that together have no room leave room for the customer', () => {
  const facts = { ...message, customerId: '"'.repeat(64), appendQuery: 'x='.padEnd(128, '1') };
  const marked: TrackedLink = { ...link, unsubscribe: true, asWritten: true };
  const unpacked = unpackContents(new ContentsPacker(facts).pack(marked, 32), false);
  expect(unpacked?.link).toEqual(marked);
  expect(unpacked?.facts.customerId).toBe(facts.customerId);
  expect(unpacked?.facts.appendQuery).toBeUndefined();
});

test('the customer is in every sealed link, however long the target', () => {
  const customerId = '"'.repeat(64);
  for (let length = 0; length < 400; length += 7) {
    const target = `https://a.example/${'x'.repeat(length)}`;
    const packed = new ContentsPacker({ ...message, customerId }).pack({ ...link, target }, 32);
    expect(unpackContents(packed, false)).toMatchObject({
      facts: { customerId },
      link: { target },
    });
  }
});
