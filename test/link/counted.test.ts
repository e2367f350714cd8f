import { expect, test } from 'vitest';
import { countedFacts, countedFactsOfEvent } from '../../src/link/counted.ts';
import { limitIdentity } from '../../src/link/identity.ts';
import { exampleClick, toClickEvent } from '../click/example-click.ts';
import { exampleMessage } from './example-message.ts';

test.each<[what: string, recipients: readonly string[], domain: string | undefined]>([
  ['one recipient', ['A.User@Example.ORG'], 'example.org'],
  ['several of one domain', ['a@x.example', 'b@X.example'], 'x.example'],
  ['several domains', ['a@x.example', 'b@y.example'], undefined],
  ['one that was forgotten', ['', 'b@y.example'], undefined],
  ['a domain only', ['@x.example'], 'x.example'],
  ['no domain', ['root'], undefined],
  ['none known', [], undefined],
])('the domain that recipients have in common: %s', (_, recipients, recipientDomain) => {
  expect(countedFacts(exampleMessage({ recipients })).recipientDomain).toBe(recipientDomain);
});

test('of many tags the first ten count, each once, and no address does', () => {
  const tags = ['a', 'a', ...Array.from({ length: 1000 }, (_, n) => `t${n}`)];
  const message = exampleMessage({ tags, recipients: ['anna.smith@x.example'] });
  const counted = countedFacts(message);
  expect(counted.tags).toEqual(['a', ...Array.from({ length: 8 }, (_, n) => `t${n}`)]);
  expect(JSON.stringify(counted)).not.toContain('anna');
});

test.each([
  ['recipient', 'x.example', ['vip']],
  ['domain', 'x.example', undefined],
  ['none', undefined, undefined],
] as const)(
  'click_identity = %s: neither messages nor clicks count by more',
  (limit, recipientDomain, tags) => {
    const message = exampleMessage({ recipients: ['anna@x.example'], tags: ['vip'] });
    const limited = limitIdentity(message, limit);
    expect(countedFacts(limited)).toMatchObject({ recipientDomain, tags });
    const { resolved, ...click } = exampleClick();
    const event = toClickEvent({ ...click, resolved: { ...resolved, message: limited } }, {}, 'a');
    const fields = event.msys.track_event as unknown as Readonly<Record<string, unknown>>;
    expect(countedFactsOfEvent(fields)).toMatchObject({ recipientDomain, tags });
  },
);
