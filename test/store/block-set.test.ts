import { expect, test } from 'vitest';
import { BlockSet, blockKey, parseBlock } from '../../src/store/block-set.ts';
import type { Block } from '../../src/store/store.ts';
import { exampleMessage } from '../link/example-message.ts';

const message = exampleMessage();
const found = (blocks: readonly Block[], target: string, token = 'T') =>
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

test('a block is one line of text', () => {
  const block = { kind: 'url', value: 'https://a.example/?x=y' } as const;
  expect(parseBlock(blockKey(block))).toEqual(block);
  for (const text of ['', 'url', 'url ', 'host a.example', 'url a b', ' url a']) {
    expect(parseBlock(text)).toBeUndefined();
  }
});
