import { expect, test } from 'vitest';
import { parseLinkArgument } from '../../src/link/link-argument.ts';
import { APPENDED } from '../redirect/appended.ts';

const TOKEN = `3${'M'.repeat(16)}CCCCCCB`;

// Not behind a hyphen or underscore, which tokens have, and not another path.
test.each(APPENDED.filter(([, appended]) => !/^[_-]|\/./.test(appended)))(
  'the token of a tracked URL with %s behind it, as copied from a mail',
  (_name, appended) => {
    for (const path of ['', 'f/x/']) {
      const url = `https://click.example.com/${path}${TOKEN}`;
      expect(parseLinkArgument(`${url}${Buffer.from(appended, 'latin1')}`)).toEqual({
        kind: 'token',
        token: TOKEN,
        host: 'click.example.com',
      });
    }
  },
);

test.each([
  ['https://shop.example/', 'url'],
  ['https://shop.example/1234567890.html', 'url'],
  ['https://shop.example/a-1234567890123456789012345', 'url'],
  [TOKEN, 'token'],
  [`${TOKEN})`, undefined],
  ['M'.repeat(16), 'message'],
  ['shop.example', undefined],
])('%s is a %s', (text, kind) => {
  expect(parseLinkArgument(text)?.kind).toBe(kind);
});
