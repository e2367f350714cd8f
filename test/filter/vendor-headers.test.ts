import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readVendorHeaders, VENDOR_HEADERS } from '../../src/filter/vendor-headers.ts';
import type { Vendor } from '../../src/scope/tracking-options.ts';

const vendors = Object.keys(VENDOR_HEADERS) as Vendor[];

function read(...fields: readonly (readonly [name: string, value: string])[]) {
  const values = new Map<string, string[]>();
  for (const [name, value] of fields) {
    const key = name.toLowerCase();
    values.set(key, [...(values.get(key) ?? []), value]);
  }
  const { askedBy, problems, notDone, tags, ...wishes } = readVendorHeaders(vendors, values, []);
  return {
    ...wishes,
    ...(tags.length > 0 && { tags }),
    ...(problems.length > 0 && { problems }),
    ...(notDone.length > 0 && { notDone }),
  };
}

const on = { clickTracking: true };
const off = { clickTracking: false };
const html = { clickTracking: true, clickTrackingParts: 'html' };
const both = { clickTracking: true, clickTrackingParts: 'both' };
const text = { clickTracking: true, clickTrackingParts: 'text' };
const settings = (json: string) => `{"filters":{"clicktrack":{"settings":${json}}}}`;

test.each<[string, string, object]>([
  ['X-Mailgun-Track-Clicks', 'yes', on],
  ['X-Mailgun-Track-Clicks', ' No', off],
  ['X-Mailgun-Track-Clicks', 'true', on],
  ['X-Mailgun-Track-Clicks', 'false', off],
  ['X-Mailgun-Track-Clicks', 'htmlonly', html],
  [
    'X-Mailgun-Track-Clicks',
    'maybe',
    { problems: ['X-Mailgun-Track-Clicks ignored: it must be yes, true, htmlonly, no, false'] },
  ],
  ['X-Mailgun-Track', 'no', off],
  ['X-Mailgun-Track', 'yes', {}],
  ['X-Mailgun-Tag', 'black =?utf-8?q?fr=C3=AFday?=', { tags: ['black frïday'] }],
  ['X-PM-TrackLinks', 'None', off],
  ['X-PM-TrackLinks', 'HtmlAndText', both],
  ['X-PM-TrackLinks', 'HtmlOnly', html],
  ['X-PM-TrackLinks', 'TextOnly', text],
  ['X-PM-TrackLinks', 'constructor', { problems: [expect.stringContaining('it must be none,')] }],
  ['X-PM-Tag', 'welcome', { tags: ['welcome'] }],
  ['X-SMTPAPI', settings('{"enable":1}'), on],
  ['X-SMTPAPI', settings('{"enable":"0"}'), off],
  ['X-SMTPAPI', settings('{"enable":true,"enable_text":false}'), html],
  ['X-SMTPAPI', settings('{"enable":1,\r\n "enable_text":true}'), both],
  ['X-SMTPAPI', settings('{"enable":null}'), {}],
  ['X-SMTPAPI', '{"filters":null,"category":null}', {}],
  [
    'X-SMTPAPI',
    '{"filters":{"clicktrack":7,"opentrack":{}}}',
    {
      notDone: ['X-SMTPAPI filters.opentrack'],
      problems: ['X-SMTPAPI filters.clicktrack ignored: it must be a JSON object'],
    },
  ],
  [
    'X-SMTPAPI',
    '{"category":"a","unique_args":{"id":1}}',
    { tags: ['a'], notDone: ['X-SMTPAPI unique_args'] },
  ],
  ...[
    ['{"filters":"off"}', 'filters ignored: it must be a JSON object'],
    ['{"filters":[]}', 'filters ignored: it must be a JSON object'],
    [settings('"off"'), 'filters.clicktrack.settings ignored: it must be a JSON object'],
    [settings('{"enable":[]}'), 'filters.clicktrack.settings.enable ignored: it must be 1 or 0'],
    [settings('{"enable":"off"}'), 'filters.clicktrack.settings.enable ignored: it must be 1 or 0'],
    [
      settings('{"enable_text":2}'),
      'filters.clicktrack.settings.enable_text ignored: it must be 1 or 0',
    ],
    ['{"category":7}', 'category ignored: it must be strings'],
  ].map(([value = '', problem]): [string, string, object] => [
    'X-SMTPAPI',
    value,
    { problems: [`X-SMTPAPI ${problem}`] },
  ]),
  [
    'X-SMTPAPI',
    settings('{"enable":0,"enable_text":"x"}'),
    { ...off, problems: [expect.stringContaining('enable_text ignored')] },
  ],
  [
    'X-SMTPAPI',
    '{"category":["a","",1,2,"b"]}',
    { tags: ['a', 'b'], problems: ['X-SMTPAPI category ignored: it must be strings'] },
  ],
  [
    'X-SMTPAPI',
    '{"to":[',
    {
      ...off,
      problems: ['X-SMTPAPI ignored: it must be a JSON object; the message is not tracked'],
    },
  ],
  ['X-SMTPAPI', '[]', { ...off, problems: [expect.any(String)] }],
  ['X-MC-Track', 'opens, clicks', { ...both, notDone: ['X-MC-Track opens'] }],
  ['X-MC-Track', 'clicks_all', both],
  ['X-MC-Track', 'clicks_htmlonly', html],
  ['X-MC-Track', 'clicks_textonly', text],
  ['X-MC-Track', 'opens', { ...off, notDone: ['X-MC-Track opens'] }],
  ['X-MC-Track', ' ', {}],
  ['X-MC-Tags', 'a, b,,c', { tags: ['a', 'b', 'c'] }],
  ['X-Mailjet-TrackClick', '1', on],
  ['X-Mailjet-TrackClick', '0', off],
  ['X-Mailjet-TrackClick', '2', { problems: [expect.stringContaining('it must be 0, 1')] }],
  ['X-Mailjet-Campaign', 'autumn 26', { campaignId: 'autumn 26' }],
  [
    'X-Mailjet-Campaign',
    'x'.repeat(65),
    { problems: [expect.stringContaining('at most 64 bytes')] },
  ],
])('%s: %s', (name, value, wishes) => {
  expect(read([name, value])).toEqual(wishes);
});

test('the header for clicks goes before the one for all tracking, wherever it is', () => {
  const all = ['X-Mailgun-Track', 'no'] as const;
  const clicks = ['X-Mailgun-Track-Clicks', 'yes'] as const;
  expect(read(all, clicks)).toEqual(on);
  expect(read(clicks, all)).toEqual(on);
});

test('tags and names that are not done are bounded', () => {
  const many = Array.from({ length: 50 }, (_, i) => `${'n'.repeat(60)}${i}`);
  const fields = Object.fromEntries(many.map((name, i) => [`${i}${name}`, 1]));
  const { tags, notDone } = read(...many.map((name) => ['X-Mailgun-Tag', name] as const), [
    'X-SMTPAPI',
    JSON.stringify({ ...fields, category: many }),
  ]);
  expect(tags).toHaveLength(10);
  expect(notDone).toHaveLength(20);
  expect(notDone?.every((name) => name.length <= 40)).toBe(true);
});

test('any value is read or refused', () => {
  const names = vendors.flatMap((vendor) => VENDOR_HEADERS[vendor].headers.map(({ name }) => name));
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.oneof(fc.string(), fc.json()), (name, value) => {
      const { clickTrackingParts } = read([name, value]) as { clickTrackingParts?: string };
      expect([undefined, 'both', 'html', 'text']).toContain(clickTrackingParts);
    }),
  );
});

test('docs/from-other-services.md has every header', () => {
  const page = readFileSync(new URL('../../docs/from-other-services.md', import.meta.url), 'utf8');
  for (const vendor of vendors) {
    for (const { name } of VENDOR_HEADERS[vendor].headers) expect(page).toContain(`\`${name}\``);
  }
});

test('what it costs to read headers grows with their bytes, not with their number times their length', () => {
  const long = JSON.stringify({ category: Array.from({ length: 200_000 }, () => 'a') });
  const values = new Map([['x-smtpapi', [long, ...Array.from({ length: 2000 }, () => '{}')]]]);
  expect(readVendorHeaders(['sendgrid'], values, []).tags).toHaveLength(10);

  const fields = Object.fromEntries(Array.from({ length: 150_000 }, (_, i) => [`k${i}`, 0]));
  const wrong = new Map([['x-mailgun-track', Array.from({ length: 2000 }, (_, i) => `maybe${i}`)]]);
  expect(readVendorHeaders(['mailgun'], wrong, []).problems).toHaveLength(1);
  const many = new Map([['x-smtpapi', [JSON.stringify({ ...fields, filters: fields })]]]);
  expect(readVendorHeaders(['sendgrid'], many, []).notDone).toHaveLength(20);
});
