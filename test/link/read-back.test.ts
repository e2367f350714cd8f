import { hash } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { factsIn } from '../../src/link/fact.ts';
import { linkLines } from '../../src/link/link-line.ts';
import {
  MESSAGE_FACTS,
  type MessageFacts,
  type TrackedLink,
} from '../../src/link/message-facts.ts';
import { encodeInstance, encodeRecord, OpenRecord } from '../../src/link/message-record.ts';
import { headOf } from '../../src/link/record-head.ts';
import { formatSealKey, newSealKey, parseSealKeys } from '../../src/link/seal-keys.ts';
import { unpackContents } from '../../src/link/sealed-contents.ts';
import { parseStoredToken } from '../../src/link/stored-token.ts';
import {
  createTemplate,
  decodeTemplate,
  encodeTemplate,
  parseTemplate,
} from '../../src/link/template.ts';
import { applyChanges } from '../../src/link/template-changes.ts';
import { exampleLinks, exampleMessage } from './example-message.ts';

// Whatever lies in Redis, in a file or in a URL: reading it gives a right value or an error, in bounded time.

const message = exampleMessage();
const record = { message, secret: 'secret', links: exampleLinks };
const template = createTemplate(
  { d: message.domain, c: message.campaignId, g: message.tags },
  exampleLinks.map(({ target, ...link }) => ({ ...link, start: target })),
);
const copy = encodeInstance(record, template);
if (copy === undefined) throw new Error('no instance of the template');
const plain = encodeRecord(record);

/** A value as JSON may have it where another was. */
const other = fc.oneof(
  fc.constantFrom(
    null,
    true,
    -1,
    1.5,
    1e300,
    2 ** 60,
    '',
    'x',
    '-1',
    [],
    [1],
    [null],
    {},
    { a: 1 },
  ),
  fc.jsonValue() as fc.Arbitrary<unknown>,
);

/** Bytes with some of them changed, cut or repeated. */
const mutated = (bytes: Buffer) =>
  fc
    .array(
      fc.record({
        at: fc.nat(bytes.length),
        cut: fc.nat(40),
        put: fc.uint8Array({ maxLength: 40 }),
      }),
      { minLength: 1, maxLength: 4 },
    )
    .map((changes) =>
      changes.reduce(
        (all, { at, cut, put }) =>
          Buffer.concat([all.subarray(0, at), put, all.subarray(at + cut)]),
        bytes,
      ),
    );

/** Reads all there is, and checks its types. @returns false for an error */
function read(value: Buffer, shared = template): boolean {
  let open: OpenRecord;
  try {
    open = new OpenRecord(value, message.messageId, shared);
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
    return false;
  }
  expectFacts(open.message);
  expect(Number.isSafeInteger(open.linkCount)).toBe(true);
  for (const index of [0, 1, 5, 6, 1e6, 62 ** 4 - 1]) {
    try {
      const link = open.link(index);
      if (link !== undefined) expectLink(link);
    } catch (error) {
      expect((error as Error).message).not.toMatch(/undefined|null/);
    }
  }
  return true;
}

function expectFacts(facts: MessageFacts): void {
  const { recipients, tags, metadata } = facts;
  for (const name of ['domain', 'sender', 'queueId', 'friendlyFrom', 'subject'] as const) {
    expect(['string', 'undefined']).toContain(typeof facts[name]);
  }
  for (const name of ['campaignId', 'pathway'] as const) {
    expect(['string', 'undefined']).toContain(typeof facts[name]);
  }
  for (const text of [...recipients, ...(tags ?? [])]) expect(typeof text).toBe('string');
  for (const time of [facts.injectionTime, facts.expires]) {
    expect(() => new Date(time * 1000).toISOString()).not.toThrow();
  }
  expect(metadata === undefined || Object.keys(metadata)).toBeTruthy();
}

function expectLink({ target, name, part }: TrackedLink): void {
  expect(typeof target).toBe('string');
  expect(['string', 'undefined']).toContain(typeof name);
  expect(['html', 'text']).toContain(part);
}

/** The head of a record with one fact replaced. */
const withFact = (name: string, value: unknown) => ({
  plain: repacked((head) => JSON.stringify({ ...JSON.parse(head), [name]: value })),
  copy: Buffer.concat([
    copy.subarray(0, 10),
    Buffer.from(
      copy
        .toString('utf8', 10)
        .replace(/^.*/, (head) => JSON.stringify({ ...JSON.parse(head), [name]: value })),
    ),
  ]),
});

/** A record of format 4, which is not packed, since no link has to share anything. */
function repacked(change: (head: string) => string): Buffer {
  const open = new OpenRecord(plain, message.messageId);
  const links = open.contents().links;
  const lines = links.map(({ part, target, name }) => {
    const line = `${part.charAt(0)}!${target.replace('?', '?!')}`;
    return name === undefined ? line : `${line}\t${JSON.stringify(name)}`;
  });
  const head = JSON.stringify({
    x: 'secret',
    i: 1,
    e: 1,
    d: 'd.example',
    r: 'a@b.example',
    l: links.length,
  });
  return Buffer.from(`\x04${change(head)}\n${lines.join('\n')}\n`);
}

describe('records', () => {
  test('the tests’ own ones can be read', () => {
    expect(read(plain)).toBe(true);
    expect(read(copy)).toBe(true);
    expect(read(repacked((head) => head))).toBe(true);
  });

  test.each(['x', 'l', ...factsIn(MESSAGE_FACTS).flatMap(({ key }) => key ?? [])])(
    'a fact "%s" of another type',
    (name) => {
      fc.assert(
        fc.property(other, (value) => {
          const { plain, copy } = withFact(name, value);
          read(plain);
          read(copy);
        }),
      );
    },
  );

  test.each([
    ['c', 7],
    ['c', { toString: 'x' }],
    ['p', ['x']],
    ['d', 7],
    ['r', [7]],
    ['i', -1],
    ['i', 1e300],
    ['e', '1'],
    ['g', 'x'],
    ['m', [1]],
    ['l', -1],
    ['x', null],
  ])('a fact %s of %j is an error', (name, value) => {
    const { plain, copy } = withFact(name, value);
    expect([read(plain), read(copy)]).toEqual([false, false]);
  });

  test('any bytes', () => {
    fc.assert(fc.property(mutated(plain), (value) => void read(value)));
    fc.assert(fc.property(mutated(copy), (value) => void read(value)));
    // Without a dictionary, since a record that lacks it is as good a one.
    const lines = plain.toString('utf8', 1).replace(/\n.*/s, `\n${linkLines(exampleLinks)}`);
    const deflated = (text: Buffer) => Buffer.concat([Buffer.of(1), deflateRawSync(text)]);
    expect(read(deflated(Buffer.from(lines)))).toBe(true);
    fc.assert(fc.property(mutated(Buffer.from(lines)), (changed) => void read(deflated(changed))));
  });

  test('more links in the head than there are lines', () => {
    const value = withFact('l', 500_000).plain;
    const open = new OpenRecord(value, message.messageId);
    expect(() => open.link(499_999)).toThrowErrorMatchingInlineSnapshot(
      `[Error: fewer links than its head says]`,
    );
    expect(() => open.contents()).toThrowError();
  });

  test('fewer links in the head than there are lines', () => {
    const open = new OpenRecord(withFact('l', 1).plain, message.messageId);
    expect(() => open.contents()).toThrowError('another number of links');
  });

  test('more links than a message can have', () => {
    const [head = ''] = plain.toString('utf8', 1).split('\n', 1);
    const many = (lines: string, count: number) => {
      const counted = head.replace(/"l":\d+/, `"l":${count}`);
      return Buffer.concat([Buffer.of(4), Buffer.from(`${counted}\n${lines}`)]);
    };
    const open = (value: Buffer) => () => new OpenRecord(value, message.messageId);
    expect(open(many('h!\n', 1))).not.toThrow();
    expect(open(many('h!?!\t""\n'.repeat(600_000), 1))).toThrowError('too many links');
    expect(open(many('h!\n', 1_000_000))).toThrowError('more links than a message can have');
  });
});

describe('templates', () => {
  test('changes never go backwards, and make no more links than there are', () => {
    for (const change of ['=-1', '--1', '-0', '=0', '=1e3', '=', '- 1', '=99999999', '==1']) {
      expect(() => applyChanges(template, [change], 1000), change).toThrow();
    }
    expect(() => applyChanges(template, ['=6', '-6'], 1000)).toThrow();
    fc.assert(
      fc.property(fc.array(fc.string({ unit: fc.constantFrom(...'=-~^ht0123456789') })), (list) => {
        let links: readonly TrackedLink[];
        try {
          links = applyChanges(template, list, 1000);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
          return;
        }
        expect(links.length).toBeLessThanOrEqual(template.links.length + list.length);
      }),
    );
  });

  test('one long middle for many open links is an error', () => {
    const open = parseTemplate(Buffer.from(`{}\n${'Hhttps://a.example/\t\n'.repeat(7000)}`));
    const changes = (middle: string) => [`~${middle}`, ...Array<string>(6999).fill('^')];
    const value = (middle: string) => {
      const head = headOf(message, 'secret', {});
      const text = [head, ...changes(middle)].join('\n');
      return Buffer.concat([Buffer.of(3), open.id, Buffer.from(text)]);
    };
    const read = (middle: string) => new OpenRecord(value(middle), message.messageId, open);
    expect(read('x').linkCount).toBe(7000);
    expect(() => read('x'.repeat(100_000))).toThrowError('the links of the record are too long');
  });

  test.each([
    ['facts of another type', '{"c":7}\nhhttps://a.example/\n'],
    ['no facts', '7\nhhttps://a.example/\n'],
    ['no JSON', 'x\nhhttps://a.example/\n'],
    ['a link of no part', '{}\nxhttps://a.example/\n'],
    ['a name that is no string', '{}\nhhttps://a.example/\t7\n'],
    ['nothing', ''],
  ])('with %s are an error', (_, text) => {
    expect(() => parseTemplate(Buffer.from(text))).toThrowError();
  });

  test('any bytes', () => {
    const value = encodeTemplate(template);
    fc.assert(
      fc.property(mutated(value), (changed) => {
        try {
          const { text } = decodeTemplate(changed, template.id);
          expect(hash('sha256', text, 'buffer').subarray(0, 9)).toEqual(template.id);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
    );
  });
});

test('tokens of any text', () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'13AB-_') }));
  fc.assert(
    fc.property(text, (token) => {
      const parsed = parseStoredToken(token);
      if (parsed !== undefined) {
        expect(parsed.index).toBeGreaterThanOrEqual(0);
        expect(parsed.messageId).toHaveLength(16);
      }
    }),
  );
});

test('contents of sealed tokens, as whoever has the key may write them', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (bytes, withDigest) => {
      const contents = unpackContents(Buffer.from(bytes), withDigest);
      if (contents === undefined) return;
      expectLink(contents.link);
      expect(contents.lifetime).toBeGreaterThanOrEqual(0);
    }),
  );
  const further = (json: string) =>
    Buffer.concat([Buffer.of(64, 0, 0, 0, 1, json.length), Buffer.from(json), Buffer.of(0x81)]);
  expect(unpackContents(further('{"p":"x"}'), false)?.facts.pathway).toBe('x');
  for (const json of ['{"p":7}', '{"m":[]}', '{"g":"x"}', '7', 'null', '{', '"x"']) {
    expect(unpackContents(further(json), false), json).toBeUndefined();
  }
});

test('key files of any text name file and line, and never show what stands there', () => {
  const text = formatSealKey(newSealKey([], 0)) + formatSealKey(newSealKey([], 1_000));
  fc.assert(
    fc.property(mutated(Buffer.from(text)), (changed) => {
      try {
        expect(parseSealKeys(changed.toString(), 'keys').all.length).toBeGreaterThan(0);
      } catch (error) {
        expect((error as Error).message).toMatch(/^keys:/);
        expect((error as Error).message).not.toContain(text.slice(24, 40));
      }
    }),
  );
});
