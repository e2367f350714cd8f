import { expect, test } from 'vitest';
import { headOf, sharedFacts } from '../../src/link/record-head.ts';
import { exampleMessage } from './example-message.ts';

const message = exampleMessage({
  messageId: 'AbCdEfGhIjKlMn-_',
  injectionTime: 1_795_000_000,
  expires: 1_826_536_000,
});
const { messageId, injectionTime, expires, domain } = message;
const least = { messageId, injectionTime, expires, domain, recipients: [] };
const several = { ...least, recipients: ['a@x.example', 'B@x.example'] };

/** Records in Redis are read by other hosts, of other releases: these bytes stay as they are. */
test.each([
  [
    'with every fact',
    headOf(message, 'Zm9vYmFy', {}, 6),
    '{"x":"Zm9vYmFy","i":1795000000,"e":31536000,"d":"click.example.com","r":"Someone@example.org",' +
      '"s":"bounce-4711@mail.shop.example","q":"4bXyZ01abcz9",' +
      '"f":"\\"Shop\\" <news@shop.example>","j":"Our best offers of the autumn – only today",' +
      '"z":40213,"c":"autumn-2026","m":{"user":4711,"plan":"gold"},"g":["weekly","de"],' +
      '"p":"newsletters","l":6}',
  ],
  [
    'with as few facts as possible',
    headOf(least, 'x', {}, 1),
    '{"x":"x","i":1795000000,"e":31536000,"d":"click.example.com","r":[],"l":1}',
  ],
  [
    'to several recipients',
    headOf(several, 'x', {}, 1),
    '{"x":"x","i":1795000000,"e":31536000,"d":"click.example.com","r":["a@x.example","B@x.example"],"l":1}',
  ],
  [
    'to more recipients than are listed',
    headOf({ ...least, recipients: Array(30_000).fill('a@x.example') }, 'x', {}, 1),
    '{"x":"x","i":1795000000,"e":31536000,"d":"click.example.com","r":[],"n":30000,"l":1}',
  ],
  [
    'that expired before its injection, from the null sender, with texts to escape',
    headOf({ ...least, expires: 7, sender: '', subject: '😀\ud800\0\\"\u2028' }, '"', {}, 0),
    '{"x":"\\"","i":1795000000,"e":0,"d":"click.example.com","r":[],"s":"","j":"😀\\ud800\\u0000\\\\\\"\u2028","l":0}',
  ],
  [
    'that has all in common with its template',
    headOf(message, 'x', JSON.parse(JSON.stringify(sharedFacts(message)))),
    '{"x":"x","i":1795000000,"e":31536000,"r":"Someone@example.org","q":"4bXyZ01abcz9",' +
      '"z":40213,"m":{"user":4711,"plan":"gold"}}',
  ],
  [
    'that lacks what its template has, and has what that lacks',
    headOf({ ...several, pathway: 'p', tags: ['a'] }, 'x', { d: 'd', s: 's', c: 'c', g: ['b'] }),
    '{"x":"x","i":1795000000,"e":31536000,"d":"click.example.com","r":["a@x.example","B@x.example"],' +
      '"s":null,"c":null,"g":["a"],"p":"p"}',
  ],
])('the head of a message %s', (_, head, golden) => {
  expect(head).toBe(golden);
});

test('the facts of a template, in JSON', () => {
  expect(JSON.stringify(sharedFacts(message))).toBe(
    '{"d":"click.example.com","s":"bounce-4711@mail.shop.example",' +
      '"f":"\\"Shop\\" <news@shop.example>","j":"Our best offers of the autumn – only today",' +
      '"c":"autumn-2026","g":["weekly","de"],"p":"newsletters"}',
  );
});
