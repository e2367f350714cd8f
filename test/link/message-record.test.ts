import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { linkLines } from '../../src/link/link-line.ts';
import type { MessageFacts, TrackedLink } from '../../src/link/message-facts.ts';
import {
  encodeInstance,
  encodeRecord,
  OpenRecord,
  templateIdOf,
} from '../../src/link/message-record.ts';
import {
  createTemplate,
  decodeTemplate,
  encodeTemplate,
  type TemplateLink,
} from '../../src/link/template.ts';
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
    customerId: text,
    rfc822MessageId: text,
  },
  { requiredKeys: [] },
);
const needed = fc.record({
  injectionTime: fc.nat(2 ** 33),
  lifetime: fc.nat(2 ** 33),
  domain: text,
  recipients: fc.array(text),
});
const link = fc.record(
  {
    target: fc.webUrl({ withQueryParameters: true }),
    part: fc.constantFrom('text', 'html'),
    name: text,
    unsubscribe: fc.constant(true),
    asWritten: fc.constant(true),
  },
  { requiredKeys: ['target', 'part'] },
);

describe('what is encoded comes back', () => {
  test('whatever it is', () => {
    fc.assert(
      fc.property(needed, optional, fc.array(link), ({ lifetime, ...facts }, more, links) => {
        const expires = facts.injectionTime + lifetime;
        const message = JSON.parse(
          JSON.stringify({ messageId: 'x', expires, ...facts, ...more }),
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

  test('with targets that are alike in any way', () => {
    const word = fc.constantFrom('?', 'x', '?', 'a'.repeat(40), '/', '&x=1', '~', '!');
    const target = fc.array(word).map((words) => `https://a.example/${words.join('')}`);
    const message = exampleMessage({ messageId: 'x' });
    const likeLinks = fc.array(fc.record({ target, part: fc.constantFrom('text', 'html') }));
    fc.assert(
      fc.property(likeLinks, (links) => {
        const open = new OpenRecord(encodeRecord({ message, secret: 's', links }), 'x');
        expect(open.contents().links).toEqual(links);
      }),
    );
  });

  test('of a message with 20,000 links', () => {
    const links = Array.from({ length: 20_000 }, (_, i) => ({
      target: `https://shop.example/${i}?${'x'.repeat(80)}`,
      part: 'html' as const,
    }));
    const message = exampleMessage();
    const value = encodeRecord({ message, secret: 's', links });
    expect(new OpenRecord(value, message.messageId).contents().links).toEqual(links);
  });
});

test('the letter of a link’s line tells its part, and what the redirect does', () => {
  const target = 'https://a.example/';
  const unsubscribe = true as const;
  const asWritten = true as const;
  const lines = linkLines([
    { target, part: 'html' },
    { target, part: 'text', name: 'n' },
    { target, part: 'html', unsubscribe },
    { target, part: 'text', unsubscribe, name: 'n' },
    { target, part: 'html', asWritten },
    { target, part: 'text', asWritten, name: 'n' },
    { target, part: 'html', unsubscribe, asWritten },
    { target, part: 'text', unsubscribe, asWritten },
  ]);
  expect(lines).toBe(
    `h${target}\nt${target}\t"n"\nu${target}\nv${target}\t"n"\n` +
      `b${target}\na${target}\t"n"\nd${target}\nc${target}\n`,
  );
});

test('the links of a newsletter share what they have in common', () => {
  const links = newsletter({ links: 20, size: 40_000 }).links.map((target) => ({
    target,
    part: 'html' as const,
  }));
  const record = { message: exampleMessage(), secret: 'AAAABBBBCCCCDDDD', links };
  const value = encodeRecord(record);
  const alone = links.map((link) => encodeRecord({ ...record, links: [link] }).length);
  expect(links).toHaveLength(30);
  expect(value.length / links.length).toBeLessThan(60);
  expect(value.length).toBeLessThan(alone.reduce((sum, length) => sum + length) / 6);
});

/** Records already in Redis must be readable for as long as their links are: for years. */
test('a record of format 1 that an earlier release wrote', () => {
  const golden = Buffer.from(GOLDEN, 'base64');
  expect(new OpenRecord(golden, 'AbCdEfGhIjKlMn-_').contents()).toEqual(GOLDEN_RECORD);
});

test('a record of format 4 that an earlier release wrote', () => {
  expect(new OpenRecord(GOLDEN_PACKED, 'AbCdEfGhIjKlMn-_').contents()).toEqual(GOLDEN_RECORD);
});

test('a record of format 3 that an earlier release wrote, and its template', () => {
  const golden = Buffer.from(GOLDEN_INSTANCE, 'base64');
  const [lines, record] = [golden.subarray(0, 243), golden.subarray(243)];
  const template = decodeTemplate(lines, templateIdOf(record) ?? Buffer.alloc(0));
  expect(new OpenRecord(record, 'AbCdEfGhIjKlMn-_', template).contents()).toEqual(GOLDEN_RECORD);
});

describe('an instance', () => {
  const links = newsletter({ links: 28, size: 60_000 }).links.map(
    (target): TrackedLink => ({
      target,
      part: 'html',
    }),
  );
  const unsubscribe = 'https://www.shop.example/unsubscribe?u=';
  const message = exampleMessage();
  const { domain, sender, friendlyFrom, subject, campaignId, tags, pathway } = message;
  const template = createTemplate(
    { d: domain, s: sender, f: friendlyFrom, j: subject, c: campaignId, g: tags, p: pathway },
    [
      ...links.map(({ target, part }) => ({ start: target, part })),
      { start: unsubscribe, end: '&l=de', part: 'html' },
    ],
  );
  const own: TrackedLink = { target: `${unsubscribe}4711&l=de`, part: 'html' };
  const record = { message, secret: 'AAAABBBBCCCCDDDD', links: [...links, own] };
  const value = encodeInstance(record, template) ?? Buffer.alloc(0);
  const reopened = (copy: Buffer | undefined, id: string) =>
    copy && new OpenRecord(copy, id, template).contents();

  test('costs next to nothing', () => {
    expect(reopened(value, message.messageId)).toEqual(record);
    expect(encodeRecord(record).length).toBeGreaterThan(800);
    expect(value.length).toBeLessThan(220);
  });

  test('of a message without what the others have does not get it', () => {
    const { subject: _, sender: __, ...less } = message;
    const other = { ...record, message: { ...less, recipients: ['a', 'b'], domain: 'x.example' } };
    expect(reopened(encodeInstance(other, template), message.messageId)).toEqual(other);
  });

  test('of another newsletter is none', () => {
    const others = newsletter({ links: 28, seed: 2 }).links.map(
      (target): TrackedLink => ({
        target,
        part: 'html',
      }),
    );
    expect(encodeInstance({ ...record, links: others }, template)).toBeUndefined();
  });

  test('has no target with a line break', () => {
    const broken = { ...own, target: `${unsubscribe}47\n11&l=de` };
    expect(() => encodeInstance({ ...record, links: [...links, broken] }, template)).toThrow(
      RangeError,
    );
  });

  test('asks for its template by id, and no other will do', () => {
    expect(templateIdOf(value)).toEqual(template.id);
    expect(templateIdOf(encodeRecord(record))).toBeUndefined();
    const others = createTemplate({}, [{ part: 'html', start: 'https://other.example/' }]);
    for (const wrong of [undefined, others]) {
      expect(() => new OpenRecord(value, 'x', wrong)).toThrow('its template is missing');
    }
  });

  test('comes back, however its links differ', () => {
    const templateLink = fc.record(
      {
        start: fc.webUrl(),
        end: fc.constantFrom('', '&x=1', '/'),
        part: fc.constantFrom('text', 'html'),
        name: text,
        unsubscribe: fc.constant(true),
      },
      { requiredKeys: ['start', 'part'] },
    ) as fc.Arbitrary<TemplateLink>;
    const fate = fc.oneof(
      { weight: 12, arbitrary: fc.constant('kept') },
      { weight: 1, arbitrary: fc.constant('dropped') },
      { weight: 1, arbitrary: link },
    );
    const places = fc.array(fc.tuple(templateLink, fc.constantFrom('', '47', '4711'), fate));
    let copies = 0;
    fc.assert(
      fc.property(places, (list) => {
        const all = createTemplate(
          {},
          list.map(([of]) => of),
        );
        const sent = list.flatMap(([of, middle, what]): TrackedLink[] => {
          const { start, end, ...link } = of;
          const target = end === undefined ? start : start + middle + end;
          const same = { ...link, target };
          if (what === 'dropped') return [];
          return what === 'kept' ? [same] : [same, what as TrackedLink];
        });
        const copy = { message, secret: 's', links: sent };
        const packed = encodeInstance(copy, all);
        if (packed === undefined) return;
        copies++;
        const open = new OpenRecord(packed, message.messageId, all);
        expect(open.contents()).toEqual(copy);
        expect(open.linkCount).toBe(sent.length);
        for (const [i, expected] of sent.entries()) expect(open.link(i)).toEqual(expected);
        expect(open.link(sent.length)).toBeUndefined();
      }),
      { numRuns: 400 },
    );
    expect(copies).toBeGreaterThan(120);
  });
});

test('a template comes back from its own value, unless that was damaged', () => {
  const start = `https://shop.example/${'long/'.repeat(100)}`;
  const template = createTemplate({ c: 'autumn' }, [{ part: 'html', start }]);
  const packed = encodeTemplate(template);
  expect(decodeTemplate(packed, template.id)).toEqual(template);
  expect(() => decodeTemplate(packed, Buffer.alloc(9))).toThrow('its digest does not match');
  expect(() => decodeTemplate(Buffer.of(2), template.id)).toThrow('of format 2');
  expect(() => decodeTemplate(packed.subarray(0, 20), template.id)).toThrow();
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
const GOLDEN_PACKED = Buffer.from(
  `\x04{"x":"Zm9vYmFyYmF6cXV4","i":1795000000,"e":31536000,"d":"click.example.com",
"r":"Someone@example.org","s":"bounce-4711@mail.shop.example","q":"4bXyZ01abcz9",
"f":"\\"Shop\\" <news@shop.example>","j":"Our best offers of the autumn – only today","z":40213,
"c":"autumn-2026","m":{"user":4711,"plan":"gold"},"g":["weekly","de"],"p":"newsletters","l":6}
`.replaceAll(/,\n/g, ',') +
    `t!https://www.shop.example/
t%://shop.example/a%20b/C?!x=1&amp;y=%2F+%zz#Frag
h%s://www.shop.example/\t"Logo"
h)shop.example/~it's,(fine);*:@/..//./?!q=<>&"\t"Ähnliches \\"Angebot\\""
h6${'long/'.repeat(300)}
h!HTTP://[2001:db8::1]:8080/Path
`,
);
const GOLDEN_INSTANCE =
  'Ae2OsU7DMBRF5+QroovY3LiNEEgWQu2CGNhgIwyJ+xqndewoflFACCb+jB9DHUKJ+AOU5Qzvnnv13rCFgra1PqT0UjStpV' +
  'T7BgIBCqXvnabFxdVqtW6K2qbB+Hb0ILCDQo4H49scybWjIax/GzcQ2ENh4zwb6pLQl3vSDAENhaLnvnGLbJldQqCCesJA' +
  'dLCvENgSngVaKBxHLTFTF/Aes2Fug5JyGIbJMzJ+PEZKysm1OM+WpYzObruiis1YtrTjH8X3fEr+zEa495VHfDcak/QjQo' +
  'SvT+NsrQ2FJMfGVVR6zoHT6KRivatmzJgxY8b/QvwNAwoGTUPe8F4sdXsieCI6IlptOXZZbUZ5WW1GNmNYVjQiLCJpIjox' +
  'Nzk1MDAwMDAwLCJlIjozMTUzNjAwMCwiciI6IlNvbWVvbmVAZXhhbXBsZS5vcmciLCJxIjoiNGJYeVowMWFiY3o5Iiwiei' +
  'I6NDAyMTMsIm0iOnsidXNlciI6NDcxMSwicGxhbiI6ImdvbGQifSwiaiI6Ik91ciBiZXN0IG9mZmVycyBvZiB0aGUgYXV0' +
  'dW1uIOKAkyBvbmx5IHRvZGF5In0KfkM/eD0xJmFtcDt5PSUyRislenoKLTEKfml0J3MsKGZpbmUpOyo6QC8uLi8vLi8/cT' +
  '08PiYKPTEKaEhUVFA6Ly9bMjAwMTpkYjg6OjFdOjgwODAvUGF0aA==';

function packed(lines: string): Buffer {
  const [head = ''] = GOLDEN_PACKED.toString().split('\n', 1);
  return Buffer.from(`${head}\n${lines}`);
}

test.each([
  ['nothing', Buffer.alloc(0)],
  ['another format', Buffer.of(9, 1, 2)],
  ['a format and nothing', Buffer.of(1)],
  ['what is not deflated', Buffer.from('\x01hello')],
  ['a first link that shares something', packed('h"ttps://a.example/\n')],
  ['a link that shares more than the link before has', packed('h!x\nh#y\n')],
  ['a query that shares more than the query before has', packed('h!x?!q\nh"?#y\n')],
  ['a link without a digit', packed('h\n')],
  ['a query without a digit', packed('h!x?\n')],
  ['a link without its line end', packed('h!x\nh"y')],
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
