import { describe, expect, test } from 'vitest';
import { BlockSet, parseRuling, rulingLine, splitRulingLine } from '../../src/store/block-set.ts';
import type { Block, Ruling } from '../../src/store/store.ts';
import { exampleMessage } from '../link/example-message.ts';

const message = exampleMessage();
const found = (blocks: readonly Ruling[], target: string, token = 'T') =>
  new BlockSet(blocks).find(token, {
    link: { target, part: 'html' },
    message,
    isFor: () => true,
  });

test.each<[string, Block, string, boolean]>([
  ['its token', { kind: 'token', value: 'T' }, 'https://a.example/', true],
  ['another token', { kind: 'token', value: 'U' }, 'https://a.example/', false],
  ['its message', { kind: 'message', value: message.messageId }, 'https://a.example/', true],
  ['its target', { kind: 'url', value: 'https://a.example/' }, 'https://a.example/', true],
  [
    'its target, spelt differently',
    { kind: 'url', value: 'HTTPS://A.example' },
    'https://a.example:443/',
    true,
  ],
  [
    'its target, as an address bar shows it',
    { kind: 'url', value: 'https://a.example/für' },
    'https://a.example/f%C3%BCr',
    true,
  ],
  ['another target', { kind: 'url', value: 'https://a.example/' }, 'https://a.example/?', false],
  ['its domain', { kind: 'domain', value: 'a.example' }, 'https://A.Example.:8443/x', true],
  ['a domain above', { kind: 'domain', value: 'example' }, 'http://x.y.example/', true],
  [
    'a domain above thousands of labels',
    { kind: 'domain', value: 'a.example' },
    `http://${'x.'.repeat(3000)}a.example/`,
    true,
  ],
  [
    'a domain as long as one can be',
    { kind: 'domain', value: `${'a'.repeat(245)}.example` },
    `http://x.${'a'.repeat(245)}.example/`,
    true,
  ],
  ['a domain below', { kind: 'domain', value: 'x.a.example' }, 'http://a.example/', false],
  ['the end of its name', { kind: 'domain', value: 'a.example' }, 'http://ba.example/', false],
  [
    'the domain in a query',
    { kind: 'domain', value: 'a.example' },
    'http://b.example/?a.example',
    false,
  ],
  [
    'the user of its URL',
    { kind: 'domain', value: 'a.example' },
    'http://a.example@b.example/',
    false,
  ],
  ['a domain, no URL', { kind: 'domain', value: 'a.example' }, 'http://', false],
])('a block of %s', (_, block, target, holds) => {
  expect(found([{ kind: 'token', value: 'other' }, block], target)).toEqual(
    holds ? block : undefined,
  );
});

test('a URL that is not ASCII is known as well by a process that has looked for thousands', () => {
  const block = { kind: 'url', value: 'https://bücher.example/x' } as const;
  for (let click = 0; click < 20_000; click++) found([block], 'https://xn--bcher-kva.example/y');
  expect(found([block], 'https://xn--bcher-kva.example/x')).toEqual(block);
});

describe('retargets', () => {
  const made = { by: 'alice@mx1', since: '2026-11-29T12:00:00.000Z' };
  const target = 'https://a.example/';
  const byToken = { kind: 'token', value: 'T', to: 'https://b.example/1', ...made } as const;
  const byMessage = {
    kind: 'message',
    value: message.messageId,
    to: 'https://b.example/2',
    ...made,
  } as const;
  const byUrl = {
    kind: 'url',
    value: 'HTTPS://A.example',
    to: 'https://b.example/3',
    ...made,
  } as const;
  const others = [
    { ...byToken, value: 'U' },
    { ...byMessage, value: 'AAAAAAAAAAAAAAAA' },
    { ...byUrl, value: 'https://a.example/x' },
  ];

  test.each([
    ['the token', [byUrl, byMessage, byToken], byToken],
    ['the message', [byUrl, byMessage], byMessage],
    ['the target', [byUrl], byUrl],
    ['none', [], undefined],
  ])('of several, that of %s holds', (_, rulings, expected) => {
    expect(found([...others, ...rulings], target)).toEqual(expected);
  });

  test.each<[string, Block]>([
    ['the link', { kind: 'token', value: 'T' }],
    ['its message', { kind: 'message', value: message.messageId }],
    ['its target', { kind: 'url', value: target }],
    ['the domain of its target', { kind: 'domain', value: 'a.example' }],
    ['the new URL', { kind: 'url', value: 'https://b.example/1' }],
    ['the domain of the new URL', { kind: 'domain', value: 'b.example' }],
  ])('a block of %s goes before', (_, block) => {
    expect(found([byToken, byMessage, byUrl, block], target)).toEqual(block);
  });

  test('lead nowhere but once: the new URL may be retargeted itself', () => {
    const back = { kind: 'url', value: byUrl.to, to: target, ...made } as const;
    expect(found([byUrl, back], target)).toEqual(byUrl);
    expect(found([byUrl, back], byUrl.to)).toEqual(back);
  });
});

describe('a ruling is one line of text', () => {
  const retarget = {
    kind: 'url',
    value: 'https://a.example/?x={"y"}',
    to: 'https://b.example/x y',
    by: 'alice@mx1',
    since: '2026-11-29T12:00:00.000Z',
    why: 'wrong {"price"}\r\n',
  } as const;
  const read = (line: string) => parseRuling(...splitRulingLine(line));

  test.each<Ruling>([
    { kind: 'url', value: 'https://a.example/?x=y' },
    { kind: 'domain', value: 'a.example' },
    retarget,
    { ...retarget, kind: 'token', value: 'T', why: undefined },
  ])('%j', (ruling) => {
    const line = rulingLine(ruling);
    expect(line).not.toMatch(/[\r\n]/);
    expect(read(line)).toEqual(ruling);
  });

  test.each(['', 'url', 'url ', 'host a.example', 'url a b', ' url a'])('%j is none', (line) => {
    expect(read(line)).toBeUndefined();
  });

  const details = (changed: object) => JSON.stringify({ ...retarget, ...changed });
  test.each([
    ['no details', 'retarget url https://a.example/'],
    ['a domain', `retarget domain a.example ${details({})}`],
    ['no JSON', 'retarget token T {'],
    ['no object', 'retarget token T {}'],
    ['another scheme', `retarget token T ${details({ to: 'javascript:alert(1)' })}`],
    ['a line break', `retarget token T ${details({ to: 'https://b.example/\r\nX: y' })}`],
    ['beyond ASCII', `retarget token T ${details({ to: 'https://b.example/ü' })}`],
    ['no host', `retarget token T ${details({ to: 'https://' })}`],
    ['a list', `retarget token T ${details({ to: ['https://b.example/'] })}`],
    ['too long', `retarget token T ${details({ to: 'https://b.example/'.padEnd(8193, 'x') })}`],
    ['nobody', `retarget token T ${details({ by: undefined })}`],
    ['no time', `retarget token T ${details({ since: 1 })}`],
    ['no reason', `retarget token T ${details({ why: {} })}`],
    ['details without end', `retarget token T ${details({ why: 'x'.repeat(20_000) })}`],
  ])('a retarget with %s is ignored', (_, line) => {
    expect(read(line)).toBeUndefined();
  });
});
