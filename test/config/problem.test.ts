import { expect, test } from 'vitest';
import { formatProblem } from '../../src/config/problem.ts';

test('a problem is one printable line, whatever stands in the file', () => {
  const message = 'expected a value after \0\u001b[31mred\u009b, not "\n"';
  expect(formatProblem({ severity: 'warning', message, file: 'c.conf', line: 1, column: 2 })).toBe(
    'c.conf:1:2: warning: expected a value after red, not ""',
  );
});
