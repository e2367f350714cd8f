import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anonymizeIp } from '../../src/event/anonymize-ip.ts';
import { ClickEventWriter, toClickEvent } from '../../src/event/click-event.ts';
import { schemaErrors } from '../helpers/event-schema.ts';
import { bareClick, exampleClick } from './example-click.ts';

const asJson = (value: unknown) => JSON.parse(JSON.stringify(value));

describe('the event of a click', () => {
  test('with everything known', () => {
    const event = asJson(
      toClickEvent(
        exampleClick({}, {}, { name: 'Offer' }),
        { nodeName: 'mx1', customerId: '7' },
        'id-1',
        3,
        ['user_agent', 'head_request'],
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
            "message_id": "Zm9vYmFyYmF6cXV4",
            "msg_from": "bounce@example.com",
            "msg_size": "20480",
            "node_name": "mx1",
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
            "message_id": "AAAAAAAAAAAAAAAA",
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

  test('several recipients: none is named, their number is given', () => {
    const click = exampleClick({}, { recipients: ['a@example.org', 'b@example.org'] });
    const { track_event } = asJson(toClickEvent(click, {}, 'id')).msys;
    expect(track_event).toMatchObject({ rcpt_count: 2 });
    expect(Object.keys(track_event)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/rcpt_to|recipient_domain/)]),
    );
    expect(JSON.stringify(track_event)).not.toContain('@example.org');
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
      const line = writer.write(changedClick, name, 2, ['many_links']);
      expect(JSON.parse(line)).toEqual(
        asJson(toClickEvent(changedClick, node, name, 2, ['many_links'])),
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
