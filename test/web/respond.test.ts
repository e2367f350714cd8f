import { expect, test } from 'vitest';
import { wantsJson } from '../../src/web/respond.ts';

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

test.each([
  [undefined, false],
  ['*/*', false],
  [BROWSER, false],
  ['application/json', true],
  ['Application/JSON; q=0.5', true],
  ['application/json;q=0.9, text/html', false],
  ['text/html;q=0.4, application/json;q=0.5', true],
  ['application/json;q=0', false],
  ['application/json;q=x', false],
])('Accept: %s', (accept, expected) => {
  expect(wantsJson({ headers: accept === undefined ? {} : { accept } })).toBe(expected);
});
