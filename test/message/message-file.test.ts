import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readMessageFile } from '../../src/message/message-file.ts';

const whole = (bytes: Buffer) => {
  const { preface, fields, separator, body } = readMessageFile(bytes);
  return Buffer.concat([preface, ...fields.map((field) => field.bytes), separator, body]);
};

test.each([
  [
    'CRLF',
    'A: b\r\nC:  d\r\n\te\r\n\r\nbody\r\n',
    [
      ['A', ' b'],
      ['C', '  d\n\te'],
    ],
    'body\r\n',
  ],
  [
    'LF',
    'A: b\nC: d\n\nbody\n',
    [
      ['A', ' b'],
      ['C', ' d'],
    ],
    'body\n',
  ],
  ['mbox', 'From a@b Mon Nov 23\nA: b\n\nbody', [['A', ' b']], 'body'],
  ['no header', '\r\nbody', [], 'body'],
  ['no body', 'A: b\r\n', [['A', ' b']], ''],
  ['no line end', 'A: b', [['A', ' b']], ''],
  ['a line that is no header', 'A: b\r\nno header\r\n', [['A', ' b']], 'no header\r\n'],
  ['nothing', '', [], ''],
])('%s', (_title, message, fields, body) => {
  const file = readMessageFile(Buffer.from(message));
  expect(file.fields.map(({ name, value }) => [name, value])).toEqual(fields);
  expect(file.body.toString()).toBe(body);
  expect(whole(Buffer.from(message)).toString()).toBe(message);
});

test('the pieces are the message, whatever it is', () => {
  const piece = fc.constantFrom('A: b', '\r\n', '\n', ' ', '\t', ':', 'From ', 'x', '\0', 'é');
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const message = Buffer.from(pieces.join(''));
      expect(whole(message).equals(message)).toBe(true);
    }),
  );
});
