import { expect, test } from 'vitest';
import { unflow } from '../../src/message/cut-text.ts';

test.each([
  ['https://a.example/lo \r\nng', 'https://a.example/long'],
  ['a \n b', 'ab'],
  ['> https://a.ex \r\n> ample/', '> https://a.example/'],
  ['>> a \r\n> b', '>> a \r\n> b'],
  ['hard\r\nbreak', 'hard\r\nbreak'],
  ['-- \r\nsignature', '-- \r\nsignature'],
  ['> -- \r\n> signature', '> -- \r\n> signature'],
  ['text \r\n-- \r\nsignature', 'text \r\n-- \r\nsignature'],
  ['> text \r\n> -- \r\n> signature', '> text \r\n> -- \r\n> signature'],
  ['text \n-- ', 'text \n-- '],
  ['text \n-- x \ny', 'text-- xy'],
  ['last ', 'last '],
  ['a  \r\nb', 'a b'],
  [' \r\n \r\nx', ' \r\n \r\nx'],
  ['a \r\n  \r\nx', 'ax'],
])('%j reads %j', (text, expected) => {
  const unflowed = unflow(text);
  expect(unflowed.text).toBe(expected);
  for (let at = 0; at < expected.length; at++) {
    expect(text[unflowed.origin(at)]).toBe(expected[at]);
  }
});
