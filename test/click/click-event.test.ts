import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anonymizeIp, ClickEventWriter, MAX_EVENT_BYTES } from '../../src/click/click-event.ts';
import type { MessageFacts } from '../../src/link/message-facts.ts';
import { schemaErrors } from '../helpers/event-schema.ts';
import { bareClick, eventLine, exampleClick, toClickEvent } from './example-click.ts';

const MANY_LINKS = { automationReasons: ['many_links'], isAutomatic: true } as const;
const asJson = (value: unknown) => JSON.parse(JSON.stringify(value));

describe('the event of a click', () => {
  test('with everything known', () => {
    const event = asJson(
      toClickEvent(
        exampleClick({}, {}, { name: 'Offer' }),
        { nodeName: 'mx1', customerId: '7' },
        'id-1',
        3,
        { automationReasons: ['user_agent', 'head_request'], isAutomatic: true },
      ),
    );
    expect(event).toMatchInlineSnapshot(`
      {
        "msys": {
          "track_event": {
            "accept_language": "de-DE,de;q=0.8",
            "automation_reasons": [
              "user_agent",
              "head_request",
            ],
            "campaign_id": "spring",
            "click_tracking": true,
            "customer_id": "7",
            "delv_method": "esmtp",
            "event_id": "id-1",
            "friendly_from": ""News" <news@example.com>",
            "injection_time": "2026-09-21T14:13:20.000Z",
            "ip_address": "203.0.113.77",
            "is_automatic": true,
            "message_id": "Zm9vYmFyYmF6cXV4",
            "msg_from": "bounce@example.com",
            "msg_size": "20480",
            "node_name": "mx1",
            "part": "html",
            "pathway": "newsletters",
            "queue_id": "4XyZ123abc",
            "raw_rcpt_to": "Anna.Smith@Example.ORG",
            "rcpt_meta": {
              "customer": 7,
              "nested": {
                "deep": true,
              },
            },
            "rcpt_tags": [
              "a",
              "b",
            ],
            "rcpt_to": "anna.smith@example.org",
            "recipient_domain": "example.org",
            "repeat_count": 3,
            "subject": "Grüße from März",
            "target_link_name": "Offer",
            "target_link_url": "https://example.org/offer?id=1",
            "timestamp": "1790086400",
            "type": "click",
            "user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
          },
        },
      }
    `);
    expect(schemaErrors(event)).toEqual([]);
  });

  test('with as little known as there can be', () => {
    const event = asJson(toClickEvent(bareClick(), {}, 'id-2'));
    expect(event).toMatchInlineSnapshot(`
      {
        "msys": {
          "track_event": {
            "click_tracking": true,
            "delv_method": "esmtp",
            "event_id": "id-2",
            "injection_time": "2026-09-21T14:13:20.000Z",
            "is_automatic": false,
            "message_id": "AAAAAAAAAAAAAAAA",
            "part": "text",
            "target_link_name": "Raw URL",
            "target_link_url": "http://example.org",
            "timestamp": "1790086400",
            "type": "click",
          },
        },
      }
    `);
    expect(schemaErrors(event)).toEqual([]);
  });

  test('the customer of the message, else that of the configuration', () => {
    const customer = (facts: Partial<MessageFacts>, customerId?: string) =>
      toClickEvent(exampleClick({}, facts), customerId ? { customerId } : {}, 'id').msys.track_event
        .customer_id;
    expect(customer({ customerId: '17' }, '7')).toBe('17');
    expect(customer({ customerId: '17' })).toBe('17');
    expect(customer({}, '7')).toBe('7');
    expect(customer({})).toBeUndefined();
  });

  test('several recipients: none is named, their number is given', () => {
    const click = exampleClick({}, { recipients: ['a@example.org', 'b@example.org'] });
    const { track_event } = asJson(toClickEvent(click, {}, 'id')).msys;
    expect(track_event).toMatchObject({ rcpt_count: 2 });
    expect(Object.keys(track_event)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/rcpt_to/)]),
    );
    expect(JSON.stringify(track_event)).not.toContain('@example.org');
  });

  test('a click on an unsubscribe link has a type of its own', () => {
    const click = toClickEvent(exampleClick({}, {}, { unsubscribe: true }), {}, 'id');
    const other = toClickEvent(exampleClick(), {}, 'id');
    expect(schemaErrors(click)).toEqual([]);
    const { track_event } = other.msys;
    expect(click.msys.track_event).toEqual({ ...track_event, type: 'link_unsubscribe' });
  });

  test('a bounce has an empty sender, which is a fact', () => {
    const event = toClickEvent(exampleClick({}, { sender: '' }), {}, 'id');
    expect(event.msys.track_event.msg_from).toBe('');
  });

  test('addresses cut to their network', () => {
    const ip = (address: string) =>
      toClickEvent(exampleClick({ ip: address }), { anonymizeIp: true }, 'id').msys.track_event
        .ip_address;
    expect(ip('203.0.113.77')).toBe('203.0.113.0');
    expect(ip('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1::');
    expect(ip('::ffff:203.0.113.77')).toBe('203.0.113.0');
    expect(ip('nonsense')).toBeUndefined();
  });

  test('whatever the facts: one line of JSON that fits the schema', () => {
    const text = fc.string({ unit: 'binary', maxLength: 20 });
    const facts = fc.record(
      {
        sender: text,
        recipients: fc.array(text, { maxLength: 3 }),
        friendlyFrom: text,
        subject: text,
        size: fc.nat(),
        campaignId: text,
        metadata: fc.dictionary(text, fc.jsonValue()),
        tags: fc.array(text),
        pathway: text,
        queueId: text,
      },
      { requiredKeys: ['recipients'] },
    );
    const click = fc.record({ userAgent: text, acceptLanguage: text, ip: fc.ipV4() });
    fc.assert(
      fc.property(facts, click, fc.nat({ max: 3 }), (known, seen, repeatCount) => {
        const event = toClickEvent(exampleClick(seen, known), {}, 'id', repeatCount);
        const line = JSON.stringify(event);
        expect(line).not.toMatch(/[\r\n]/);
        expect(schemaErrors(JSON.parse(line))).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  const hostile = fc.string({
    unit: fc.oneof(
      fc.constantFrom('\0', '\ud800', '\udfff', '\\', '\\u0000', '\\ud800', '"', '\u0001', '😀'),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    ),
    maxLength: 20,
  });

  test('valid Unicode without U+0000, whatever a sender or reader wrote; the rest unchanged', () => {
    const everywhere = fc.record({
      facts: fc.record({
        sender: hostile,
        recipients: fc.array(hostile, { minLength: 1, maxLength: 1 }),
        friendlyFrom: hostile,
        subject: hostile,
        campaignId: hostile,
        metadata: fc.dictionary(hostile, fc.oneof(hostile, fc.dictionary(hostile, hostile))),
        tags: fc.array(hostile),
        pathway: hostile,
        queueId: hostile,
      }),
      click: fc.record({ userAgent: hostile, acceptLanguage: hostile }),
      name: hostile,
    });
    fc.assert(
      fc.property(everywhere, ({ facts, click, name }) => {
        const line = eventLine(
          new ClickEventWriter({}),
          exampleClick(click, facts, { name }),
          'id',
        );
        expect(JSON.stringify(JSON.parse(line))).not.toMatch(/(?<!\\)(\\\\)*\\u(0000|d[89a-f])/);
        expect(Buffer.from(line).toString()).toBe(line);
        const { track_event } = JSON.parse(line).msys;
        // Our own words: character by character.
        const clean = (text: string) =>
          [...text].map((c) => (c === '\0' || /^[\ud800-\udfff]$/.test(c) ? '\ufffd' : c)).join('');
        expect(track_event.subject).toBe(clean(facts.subject));
        expect(track_event.target_link_name).toBe(clean(name));
        expect(track_event.user_agent).toBe(clean(click.userAgent));
        expect(track_event.rcpt_tags).toEqual(facts.tags.map(clean));
        expect(new Set(Object.keys(track_event.rcpt_meta))).toEqual(
          new Set(Object.keys(facts.metadata).map(clean)),
        );
      }),
      { numRuns: 200 },
    );
  });

  test('is never longer than its bound, whoever wrote how much where', () => {
    const long = (text: string) => fc.nat({ max: 200_000 }).map((n) => text.repeat(n));
    const text = fc.constantFrom('a', '\u0001', '€', '😀', '"').chain(long);
    const facts = fc.record({
      sender: text,
      recipients: fc.array(text, { minLength: 1, maxLength: 1 }),
      friendlyFrom: text,
      subject: text,
      campaignId: text,
      metadata: fc.dictionary(fc.constantFrom('a', 'b'), text),
      tags: fc.array(text, { maxLength: 3 }),
      pathway: text,
      queueId: text,
    });
    const link = fc.record({
      target: text.map((path) => `https://example.org/${path}`),
      name: text,
    });
    fc.assert(
      fc.property(facts, link, text, (known, made, userAgent) => {
        const line = eventLine(
          new ClickEventWriter({}),
          exampleClick({ userAgent }, known, made),
          'id',
        );
        expect(Buffer.byteLength(line)).toBeLessThanOrEqual(MAX_EVENT_BYTES);
        const { track_event } = JSON.parse(line).msys;
        expect(track_event.message_id).toBe('Zm9vYmFyYmF6cXV4');
        expect(made.target.startsWith(track_event.target_link_url)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  test('metadata nested too deeply is left out', () => {
    let nested: unknown = 1;
    for (let depth = 0; depth < 200_000; depth++) nested = [nested];
    const line = eventLine(
      new ClickEventWriter({}),
      exampleClick({}, { metadata: { nested } }),
      'id',
    );
    const { track_event } = JSON.parse(line).msys;
    expect(track_event).toMatchObject({ campaign_id: 'spring' });
    expect(track_event).not.toHaveProperty('rcpt_meta');
  });

  test('cuts texts, and leaves out metadata, then tags, then other texts', () => {
    const fieldsOf = (facts: Parameters<typeof exampleClick>[1]) =>
      JSON.parse(eventLine(new ClickEventWriter({}), exampleClick({}, facts), 'id')).msys
        .track_event;
    const long = 'x'.repeat(1001);
    const tags = Array.from({ length: 80 }, () => long);
    expect(fieldsOf({ subject: long }).subject).toHaveLength(1000);
    const withoutMetadata = fieldsOf({ tags: ['t'], metadata: { all: long.repeat(70) } });
    expect(withoutMetadata.rcpt_tags).toEqual(['t']);
    expect(withoutMetadata).not.toHaveProperty('rcpt_meta');
    const withoutTags = fieldsOf({ subject: 's', tags, metadata: { a: 1 } });
    expect(withoutTags.subject).toBe('s');
    expect(withoutTags).not.toHaveProperty('rcpt_meta');
    expect(withoutTags).not.toHaveProperty('rcpt_tags');
  });

  test('a target of the longest length there is stands in it whole', () => {
    const target = `https://example.org/${'x'.repeat(8192 - 20)}`;
    const metadata = { all: 'y'.repeat(40_000) };
    const line = eventLine(
      new ClickEventWriter({}),
      exampleClick({}, { metadata }, { target }),
      'id',
    );
    expect(JSON.parse(line).msys.track_event).toMatchObject({
      target_link_url: target,
      rcpt_meta: metadata,
    });
  });

  test('is written the same for every click on a message', () => {
    const node = { nodeName: 'mx1', customerId: '7' };
    const writer = new ClickEventWriter(node);
    const message = exampleClick().resolved.message;
    for (const [name, changed] of [
      ['Offer', message],
      ['Logo', message],
      // A record may change, as when a recipient is forgotten.
      ['Logo', { ...message, recipients: [''] }],
    ] as const) {
      const click = exampleClick({}, {}, { name });
      const changedClick = { ...click, resolved: { ...click.resolved, message: changed } };
      const line = eventLine(writer, changedClick, name, 2, MANY_LINKS);
      expect(JSON.parse(line)).toEqual(
        asJson(toClickEvent(changedClick, node, name, 2, MANY_LINKS)),
      );
    }
  });

  test('the schema tells wrong events from right ones', () => {
    const right = asJson(toClickEvent(exampleClick(), {}, 'id'));
    const wrong = (change: object) =>
      schemaErrors({ msys: { track_event: { ...right.msys.track_event, ...change } } });
    expect(wrong({})).toEqual([]);
    expect(wrong({ rcpt_count: 2 })).not.toEqual([]);
    expect(wrong({ timestamp: 1 })).not.toEqual([]);
    expect(wrong({ invented: 'x' })).not.toEqual([]);
    expect(wrong({ target_link_url: 'javascript:alert(1)' })).not.toEqual([]);
    expect(wrong({ automation_reasons: [] })).not.toEqual([]);
  });
});

test.each([
  ['10.1.2.3', '10.1.2.0'],
  ['255.255.255.255', '255.255.255.0'],
  ['::1', '::'],
  ['fe80::1%eth0', 'fe80::'],
])('the network of %s is %s', (address, network) => {
  expect(anonymizeIp(address)).toBe(network);
});
