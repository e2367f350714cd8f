import { describe, expect, test } from 'vitest';
import { reply } from '../../src/milter/milter.ts';

describe('a reply', () => {
  test.each<[number, string, string | string[], string]>([
    [550, '5.7.1', 'no', '550 5.7.1 no\0'],
    [450, '4.7.1', ['one', 'two', 'three'], '450-4.7.1 one\r\n450-4.7.1 two\r\n450 4.7.1 three\0'],
    [451, '4.3.0', '100% of %s', '451 4.3.0 100%% of %%s\0'],
    [554, '5.7.1', '', '554 5.7.1 \0'],
    [554, '5.7.1', 'gr\xc3\xbc\xc3\x9fe', '554 5.7.1 gr\xc3\xbc\xc3\x9fe\0'],
  ])('%i %s %j', (code, enhancedCode, text, payload) => {
    expect(reply(code, enhancedCode, text).payload.toString('latin1')).toBe(payload);
  });

  test('may have 32 lines of 980 bytes each, the codes and doubled signs included', () => {
    const line = `${'x'.repeat(968)}%`;
    const { payload } = reply(550, '5.7.1', Array(32).fill(line));
    const lines = payload.toString('latin1', 0, payload.length - 1).split('\r\n');
    expect(lines).toHaveLength(32);
    for (const sent of lines) expect(sent).toHaveLength(980);
  });

  test('that could not be sent says what would be right', () => {
    const error = (...args: Parameters<typeof reply>) => {
      try {
        reply(...args);
      } catch (thrown) {
        return String(thrown);
      }
      return 'none';
    };
    expect([
      error(250, '2.0.0', 'ok'),
      error(550.5, '5.0.0', 'no'),
      error(550, '4.7.1', 'no'),
      error(550, '5.7', 'no'),
      error(550, '5.7.1', []),
      error(550, '5.7.1', Array(33).fill('x')),
      error(550, '5.7.1', 'a\r\nb'),
      error(550, '5.7.1', ['a', 'b\0c']),
      error(550, '5.7.1', 'grüße und 漢字'),
      error(550, '5.7.1', 'x'.repeat(971)),
    ]).toMatchInlineSnapshot(`
      [
        "RangeError: milter: reply: code 250: expected 400 to 599",
        "RangeError: milter: reply: code 550.5: expected 400 to 599",
        "RangeError: milter: reply: enhanced code "4.7.1": expected 5.x.y",
        "RangeError: milter: reply: enhanced code "5.7": expected 5.x.y",
        "RangeError: milter: reply: 0 lines: expected 1 to 32",
        "RangeError: milter: reply: 33 lines: expected 1 to 32",
        "RangeError: milter: reply: line 1 has a control character or one above U+00FF: expected printable bytes (toUtf8)",
        "RangeError: milter: reply: line 2 has a control character or one above U+00FF: expected printable bytes (toUtf8)",
        "RangeError: milter: reply: line 1 has a control character or one above U+00FF: expected printable bytes (toUtf8)",
        "RangeError: milter: reply: line 1 has 981 bytes: expected at most 980",
      ]
    `);
  });
});
