import { expect, test } from 'vitest';
import { printableName } from '../../src/lib/printable.ts';

test.each([
  ['cur/1,S=2:2,S', 'cur/1,S=2:2,S'],
  ['café', 'café'],
  ['a\x1b[2Jb\n', 'a\\x1b[2Jb\\x0a'],
  ['a\u0085b', 'a\\x85b'],
  [Buffer.from('caf\xe9\x1b', 'latin1'), 'caf\\xe9\\x1b'],
])('the name %j is shown as %j', (name, shown) => {
  expect(printableName(Buffer.from(name))).toBe(shown);
});
