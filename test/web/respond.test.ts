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
  ['application/*', true],
  ['application/json, text/plain, */*', true],
  ['*/*, application/json;q=0.5', false],
  ['*/*;q=0.1, application/json', true],
  ['text/*, application/json;q=0.5', false],
  ['text/html;q=0, */*', true],
  ['text/html, application/json', false],
  ['*/*;q=0', false],
])('Accept: %s', (accept, expected) => {
  expect(wantsJson({ headers: accept === undefined ? {} : { accept } })).toBe(expected);
});
