import { describe, expect, test } from 'vitest';
import { factsIn } from '../../src/link/fact.ts';
import { limitIdentity, withoutReader } from '../../src/link/identity.ts';
import { MESSAGE_FACTS, type MessageFacts } from '../../src/link/message-facts.ts';
import { encodeRecord, OpenRecord } from '../../src/link/message-record.ts';
import { formatSealKey, newSealKey, parseSealKeys } from '../../src/link/seal-keys.ts';
import { openToken, Sealer } from '../../src/link/sealed-token.ts';
import { exampleClick, toClickEvent } from '../click/example-click.ts';
import { schemaErrors } from '../helpers/event-schema.ts';
import { exampleMessage } from './example-message.ts';

const full = exampleMessage({ customerId: '17', rfc822MessageId: '<a@x.example>' });
const link = { target: 'https://www.shop.example/', part: 'html' } as const;
const keys = parseSealKeys(formatSealKey(newSealKey([], 0)), 'keys');

function eventOf(message: MessageFacts) {
  const { resolved, ...click } = exampleClick();
  const event = toClickEvent({ ...click, resolved: { ...resolved, message } }, {}, 'id');
  expect(schemaErrors(event)).toEqual([]);
  return event.msys.track_event;
}

test('with recipient nothing changes', () => {
  expect(limitIdentity(full, 'recipient')).toBe(full);
});

/** The message as it comes back from a record, and from a sealed link. */
function backFrom(message: MessageFacts): MessageFacts[] {
  const record = new OpenRecord(
    encodeRecord({ message, secret: 's', links: [link] }),
    full.messageId,
  );
  const { facts } =
    openToken(keys, new Sealer(keys, message).seal(link) ?? '', [full.domain]) ?? {};
  return [message, record.message, { ...message, ...facts }];
}

describe.each([
  ['one recipient', ['Someone@Example.ORG'], { recipient_domain: 'example.org' }, undefined],
  ['several', ['a@example.org', 'b@example.org'], {}, 2],
  ['very many', Array.from({ length: 30_000 }, (_, i) => `reader${i}@example.org`), {}, 30_000],
  ['a local user', ['root'], {}, undefined],
  ['one whose address was forgotten', [''], {}, undefined],
] as const)('a message to %s', (_name, recipients, ofDomain, rcptCount) => {
  test.each([
    ['domain', { ...ofDomain, ip_address: '203.0.113.0' }],
    ['none', {}],
  ] as const)('with %s: the event tells that much', (limit, told) => {
    const message = limitIdentity({ ...full, recipients }, limit);
    for (const one of backFrom(message)) {
      const event = eventOf(one);
      const { ip_address, user_agent, accept_language, recipient_domain } = event;
      expect({ ip_address, recipient_domain }).toEqual({ ip_address: undefined, ...told });
      expect({ user_agent, accept_language }).toEqual(
        limit === 'none'
          ? {}
          : { user_agent: expect.any(String), accept_language: 'de-DE,de;q=0.8' },
      );
      expect(event).not.toHaveProperty('rcpt_to');
      expect(event).not.toHaveProperty('raw_rcpt_to');
      expect(event).toMatchObject({ click_identity: limit, campaign_id: full.campaignId });
      expect(event.rcpt_count).toBe(rcptCount);
    }
  });
});

test('no fact that may tell who the recipient is stays', () => {
  const limited = limitIdentity(full, 'none');
  const personal = factsIn(MESSAGE_FACTS).filter((fact) => fact.personal);
  expect(personal.map(({ name }) => name)).toEqual(
    expect.arrayContaining(['sender', 'queueId', 'subject', 'metadata', 'tags', 'rfc822MessageId']),
  );
  for (const { name } of personal) {
    expect(full[name]).toBeDefined();
    expect(limited[name]).toBeUndefined();
  }
  expect(limited.recipients).toEqual([]);
});

test('of a click without its reader, only the time is left', () => {
  const { resolved: _, token: __, ...click } = exampleClick();
  expect(JSON.parse(JSON.stringify(withoutReader(click)))).toEqual({ time: click.time });
});
