import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSmtpapi } from '../../src/filter/smtpapi.ts';

const limits = { maxMetadataLen: 1000 };
const longMetadata =
  'X-MSYS-API metadata is left out of click events: it must be at most 1000 bytes (max_metadata_len)';
const parse = (...values: string[]) => parseSmtpapi(values, limits);

describe('what a header asks for', () => {
  test.each<[string, string, object]>([
    ['nothing', '{}', {}],
    [
      'everything',
      '{"campaign_id":"c","metadata":{"a":{"b":[1,null]}},"tags":["x","y"],"options":{"click_tracking":true,"open_tracking":false}}',
      { campaignId: 'c', metadata: { a: { b: [1, null] } }, tags: ['x', 'y'], clickTracking: true },
    ],
    ['tracking off', '{"options":{"click_tracking":false}}', { clickTracking: false }],
    ['no options', '{"options":{}}', {}],
    [
      'fields that are not done here',
      '{"campaign_id":"c","cc":[{"email":"a@b.example"}],"archive":[],"ip_pool":7,"options":{"transactional":"?","open_tracking":true,"inline_css":false},"x":{"y":[]},"z":null}',
      {
        campaignId: 'c',
        notDone: [
          'cc',
          'archive',
          'ip_pool',
          'x',
          'options.transactional',
          'options.open_tracking',
        ],
      },
    ],
    [
      'null is absent',
      '{"campaign_id":null,"metadata":null,"tags":null,"options":{"click_tracking":null}}',
      {},
    ],
    ['null options', '{"options":null}', {}],
    ['an empty campaign is none', '{"campaign_id":""}', {}],
    [
      'a long campaign',
      `{"campaign_id":"${'é'.repeat(33)}","tags":["t"]}`,
      {
        tags: ['t'],
        problems: [
          'X-MSYS-API campaign_id is left out of click events: it must be at most 64 bytes',
        ],
      },
    ],
    [
      'long metadata',
      `{"campaign_id":"c","metadata":{"${'x'.repeat(1000)}":1}}`,
      { campaignId: 'c', problems: [longMetadata] },
    ],
    ['64 bytes', `{"campaign_id":"${'é'.repeat(32)}"}`, { campaignId: 'é'.repeat(32) }],
    [
      'tags over the limit are ignored',
      JSON.stringify({ tags: [...'abcdefghijkl'] }),
      {
        tags: [...'abcdefghij'],
        problems: ['X-MSYS-API tags is partly left out of click events: it must be at most 10'],
      },
    ],
    [
      'the last of a field given twice counts',
      '{"campaign_id":"a","campaign_id":"b"}',
      { campaignId: 'b' },
    ],
    ['white space around', ' \t{ "campaign_id" : "c" } \r\n', { campaignId: 'c' }],
  ])('%s', (_, value, header) => {
    expect(parse(value)).toEqual({ header });
  });
});

describe('unfolding leaves one space for each fold, also inside strings', () => {
  test.each([
    ['{"campaign_id":\r\n "black\r\n friday"}', 'black friday'],
    ['{"campaign_id":\n\t"black\n\tfriday"}', 'black friday'],
    ['{"campaign_id":"black\r\n      friday"}', 'black friday'],
    ['{"campaign_id":"black \r\n friday"}', 'black  friday'],
    ['\r\n {"campaign_id":"x"}\r\n ', 'x'],
  ])('%j', (value, campaignId) => {
    expect(parse(value)).toEqual({ header: { campaignId } });
  });
});

describe('non-ASCII', () => {
  const base64 = (text: string) => `=?UTF-8?B?${Buffer.from(text).toString('base64')}?=`;
  test.each([
    ['JSON escapes', '{"campaign_id":"\\u00e9t\\u00e9"}', 'été'],
    ['plain UTF-8', '{"campaign_id":"été"}', 'été'],
    ['an encoded word in a string', '{"campaign_id":"=?utf-8?q?=C3=A9t=C3=A9?="}', 'été'],
    ['with a space', '{"campaign_id":"=?utf-8?Q?un_=C3=A9t=C3=A9?="}', 'un été'],
    ['latin1', '{"campaign_id":"=?iso-8859-1?q?=e9t=E9?="}', 'été'],
    ['a language', '{"campaign_id":"=?utf-8*fr?q?=C3=A9?="}', 'é'],
    ['the whole value', base64('{"campaign_id":"été"}'), 'été'],
    ['in several words', `${base64('{"campaign_id":')}\r\n ${base64('"été"}')}`, 'été'],
    ['a character cut in two', '{"campaign_id":"=?utf-8?q?=C3?= =?utf-8?q?=A9?="}', 'é'],
    ['words of two charsets', '{"campaign_id":"=?utf-8?q?=C3=A9?= =?latin1?q?=E9?="}', 'éé'],
    ['text between words', '{"campaign_id":"=?utf-8?q?a?= b =?utf-8?q?c?="}', 'a b c'],
    ['an unknown charset stays', '{"campaign_id":"=?klingon?q?a?="}', '=?klingon?q?a?='],
    [
      'what is no encoded word stays',
      '{"campaign_id":"=?utf-8?x?a?= =? ?="}',
      '=?utf-8?x?a?= =? ?=',
    ],
  ])('%s', (_, value, campaignId) => {
    expect(parse(value)).toEqual({ header: { campaignId } });
  });
});

describe('several headers, and empty ones', () => {
  test('empty ones count as absent', () => {
    expect(parse()).toEqual({ header: {} });
    expect(parse('', ' \r\n ')).toEqual({ header: {} });
    expect(parse('', '{"campaign_id":"c"}')).toEqual({ header: { campaignId: 'c' } });
  });

  test('the one nearest to the top counts', () => {
    expect(parse('{"campaign_id":"a"}', '{"campaign_id":"b","tags":["t"]}')).toEqual({
      header: { campaignId: 'a' },
    });
    expect(parse('{}', 'not JSON')).toEqual({ header: {} });
  });
});

describe("what is not valid gets Momentum's answer", () => {
  const parsing = 'JSON parsing error in X-MSYS-API';
  const mustBe = (field: string, type: string) => `X-MSYS-API '${field}' must be of type '${type}'`;
  test.each([
    ['not JSON', parsing],
    ['{"campaign_id":"a"', parsing],
    ["{'campaign_id':'a'}", parsing],
    ['{"campaign_id":"tab\there"}', parsing],
    ['null', "X-MSYS-API must be of type 'json object'"],
    ['[]', "X-MSYS-API must be of type 'json object'"],
    ['"text"', "X-MSYS-API must be of type 'json object'"],
    ['{"campaign_id":7}', mustBe('campaign_id', 'string')],
    ['{"campaign_id":["a"]}', mustBe('campaign_id', 'string')],
    ['{"metadata":"a"}', mustBe('metadata', 'json object')],
    ['{"metadata":["a"]}', mustBe('metadata', 'json object')],
    ['{"tags":"a"}', mustBe('tags', 'json array')],
    ['{"tags":{"a":1}}', mustBe('tags', 'json array')],
    ['{"tags":["a",1]}', "X-MSYS-API 'tags' must hold values of type 'string' only"],
    ['{"options":true}', mustBe('options', 'json object')],
    ['{"options":[]}', mustBe('options', 'json object')],
    ['{"options":{"click_tracking":"true"}}', mustBe('options.click_tracking', 'boolean')],
    ['{"options":{"click_tracking":1}}', mustBe('options.click_tracking', 'boolean')],
    ['{"options":{"open_tracking":"yes"}}', mustBe('options.open_tracking', 'boolean')],
  ])('%s', (value, text) => {
    expect(parse(value)).toEqual({ reject: `550 5.6.0 ${text}` });
  });
});

describe('hostile JSON', () => {
  test('a prototype is not reached, neither here nor by whoever reads the event', () => {
    const value =
      '{"__proto__":{"campaign_id":"p"},"options":{"__proto__":{"click_tracking":true}},"metadata":{"__proto__":{"a":1},"b":{"\\u005f_proto__":2,"c":3}}}';
    const parsed = parse(value) as { header: { metadata: object } };
    expect(parsed).toEqual({
      header: { metadata: { b: { c: 3 } }, notDone: ['__proto__', 'options.__proto__'] },
    });
    expect(Object.hasOwn(parsed.header.metadata, '__proto__')).toBe(false);
    expect(({} as Record<string, unknown>)['a']).toBeUndefined();
  });

  test.each([
    [
      'arrays in an unknown field',
      (depth: number) => `{"x":${'['.repeat(depth)}${']'.repeat(depth)}}`,
      { header: { notDone: ['x'] } },
    ],
    [
      'arrays in metadata',
      (depth: number) => `{"metadata":{"x":${'['.repeat(depth)}${']'.repeat(depth)}}}`,
      { header: { problems: [longMetadata] } },
    ],
    [
      'never closed',
      (depth: number) => '{"x":'.repeat(depth / 4),
      { reject: '550 5.6.0 JSON parsing error in X-MSYS-API' },
    ],
  ])('deep nesting: %s', (_, value, expected) => {
    expect(parse(value(28_000))).toEqual(expected);
  });

  test('deep nesting beside a prototype, under a limit that was raised', () => {
    const value = `{"metadata":{"__proto__":1,"x":${'['.repeat(3000)}${']'.repeat(3000)}}}`;
    const parsed = parseSmtpapi([value], { maxMetadataLen: 60_000 });
    expect(parsed).toEqual({ header: { problems: [longMetadata.replace('1000', '60000')] } });
  });

  test('a header that an MTA has cut refuses no mail, and tracks none', () => {
    const of = (length: number) => `{"x":"${'x'.repeat(length - 8)}"}`;
    for (const length of [57_900, 57_901, 102_400]) {
      expect(parse(of(length))).toEqual({ header: { notDone: ['x'] } });
    }
    expect(parse(of(57_901).slice(0, 57_900))).toHaveProperty('reject');
    expect(parse(of(60_000).slice(0, 57_901))).toEqual({
      header: {
        clickTracking: false,
        problems: [
          'X-MSYS-API is ignored and the message not tracked: the header has over 57900 bytes and was probably cut',
        ],
      },
    });
  });

  test('a sender chooses neither number nor length of what the log names', () => {
    const fields = Object.fromEntries(
      Array.from({ length: 1000 }, (_, n) => [`${n}`.padStart(60, 'x'), 1]),
    );
    const { header } = parse(JSON.stringify(fields)) as { header: { notDone: string[] } };
    expect(header.notDone).toHaveLength(20);
    expect(header.notDone.every((name) => name.length <= 40)).toBe(true);
  });
});

test('whatever comes, there is a header or a one-line reply of ASCII', () => {
  const fields = fc.record(
    {
      campaign_id: fc.anything(),
      metadata: fc.anything(),
      tags: fc.anything(),
      options: fc.anything(),
    },
    { requiredKeys: [] },
  );
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.json(),
    fields.map((each) => stringify(each)),
  );
  fc.assert(
    fc.property(fc.array(value, { maxLength: 2 }), (values) => {
      const parsed = parseSmtpapi(values, limits);
      if ('reject' in parsed) expect(parsed.reject).toMatch(/^550 5\.6\.0 [ -~]+$/);
      else expect(parsed.header).toBeTypeOf('object');
    }),
    { numRuns: 400 },
  );
});

function stringify(value: unknown): string {
  return JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? String(each) : each)) ?? '';
}
