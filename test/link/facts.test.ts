import { describe, expect, test } from 'vitest';
import { factsIn } from '../../src/link/fact.ts';
import {
  MESSAGE_FACTS,
  type MessageFacts,
  type TrackedLink,
} from '../../src/link/message-facts.ts';
import { encodeInstance, encodeRecord, OpenRecord } from '../../src/link/message-record.ts';
import { sharedFacts } from '../../src/link/record-head.ts';
import { formatSealKey, newSealKey, parseSealKeys } from '../../src/link/seal-keys.ts';
import { openToken, Sealer } from '../../src/link/sealed-token.ts';
import { createTemplate } from '../../src/link/template.ts';
import { bareClick, toClickEvent } from '../click/example-click.ts';
import { schemaErrors } from '../helpers/event-schema.ts';
import { exampleMessage } from './example-message.ts';

const example = exampleMessage({
  customerId: '17',
  rfc822MessageId: '<a@x.example>',
  identity: 'domain',
  appendQuery: 'utm_source=news',
});
const { messageId, injectionTime, expires, domain } = example;
const least: MessageFacts = { messageId, injectionTime, expires, domain, recipients: [] };
const links: readonly TrackedLink[] = [{ target: 'https://www.shop.example/', part: 'html' }];
const keys = parseSealKeys(formatSealKey(newSealKey([], 0)), 'keys');

const optional = factsIn(MESSAGE_FACTS).filter(({ required }) => !required);

test('every fact has an example, and keys and ranks of their own', () => {
  const missing = optional.filter(({ name }) => example[name] === undefined);
  expect(missing.map(({ name }) => name)).toEqual(['recipientCount']);
  const all = factsIn(MESSAGE_FACTS);
  const drops = all.flatMap(({ event = {} }) => Object.values(event).map(({ drop }) => drop));
  for (const own of [all.map(({ key }) => key), optional.map(({ sealed }) => sealed), drops]) {
    // Any number of facts may be ones that every sealed link needs.
    const given = own.filter((value) => value && value !== 'bounded');
    expect(new Set(given).size).toBe(given.length);
  }
  // They are the frame of a head.
  for (const key of ['x', 'l']) expect(all.map((fact) => fact.key)).not.toContain(key);
});

describe.each(optional.filter(({ name }) => name !== 'recipientCount'))(
  'the fact $name',
  (fact) => {
    const { name, shared, sealed, event = {} } = fact;
    const message: MessageFacts = { ...least, [name]: example[name] };

    test('comes back from a record', () => {
      const open = new OpenRecord(encodeRecord({ message, secret: 's', links }), messageId);
      expect(open.message).toEqual(message);
    });

    test(shared ? 'may be that of the template' : 'is never that of a template', () => {
      const template = createTemplate(
        sharedFacts(message),
        links.map(({ target, part }) => ({ start: target, part })),
      );
      const copy = encodeInstance({ message, secret: 's', links }, template);
      if (copy === undefined) throw new Error('has too little in common with its own template');
      expect(new OpenRecord(copy, messageId, template).message).toEqual(message);
      const isInCopy = copy.includes(`"${fact.key}":`);
      expect(isInCopy).toBe(!shared);
    });

    if (sealed !== undefined) {
      test('comes back from a sealed link', () => {
        const token = new Sealer(keys, message).seal(links[0] as TrackedLink) ?? '';
        const facts = openToken(keys, token, [domain])?.facts;
        expect(facts).toHaveProperty(name, example[name]);
      });
    }

    test('stands in the event', () => {
      const { resolved, ...click } = bareClick();
      const withFact = toClickEvent({ ...click, resolved: { ...resolved, message } }, {}, 'id');
      const without = toClickEvent(
        { ...click, resolved: { ...resolved, message: least } },
        {},
        'id',
      );
      expect(schemaErrors(withFact)).toEqual([]);
      const names = Object.keys(withFact.msys.track_event);
      const more = names.filter((field) => !(field in without.msys.track_event));
      expect(more).toEqual(Object.keys(event));
    });
  },
);
