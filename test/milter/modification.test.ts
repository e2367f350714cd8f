import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Action, EndOfMessage, Filter } from '../../src/milter/milter.ts';
import { answersTo, PlayedSession } from '../helpers/milter-session.ts';
import {
  connect,
  data,
  eob,
  eoh,
  helo,
  mail,
  optneg,
  packets,
  rcpt,
} from '../helpers/milter-wire.ts';

const ALL: readonly Action[] = [
  ...(['addHeaders', 'changeBody', 'addRecipients', 'deleteRecipients', 'changeHeaders'] as const),
  ...(['quarantine', 'changeSender', 'addRecipientsWithArguments'] as const),
];

function filterThat(modify: (message: EndOfMessage) => void, actions = ALL): Filter {
  return {
    actions,
    begin: () => undefined,
    mail: () => undefined,
    endOfMessage: (message) => modify(message) as undefined,
  };
}

const toTheEnd = [optneg(), mail(), rcpt(), data(), eoh(), eob()];

/** The packets sent at the end of the message. */
function sent(modify: (message: EndOfMessage) => void, protocol = 0x1fffff): string[] {
  const script = [optneg(6, 0x1ff, protocol), connect(), helo(), ...toTheEnd.slice(1)];
  const silent = { ...filterThat(modify), silent: ['mail'] as const };
  const answers = answersTo(silent, script);
  return answers.slice(answers.lastIndexOf('c', answers.length - 2) + 1);
}

describe('modifications', () => {
  test('go out in an order every MTA understands, and are followed by one answer', () => {
    const order = sent((message) => {
      message.quarantine('odd');
      message.replaceBody(Buffer.from('new'));
      message.addRecipient('<r@x>');
      message.addHeader('X-A', 'a');
      message.changeHeader('Subject', 1, 'first');
      message.insertHeader(1, 'X-I', 'one');
      message.insertHeader(0, 'X-I', 'zero');
      message.deleteHeader('Received', 3);
      message.changeHeader('To', 2, 'second');
      message.deleteRecipient('<b@example.net>');
      message.changeSender('<s@x>');
      message.addRecipient('<p@x>', ['NOTIFY=NEVER', 'ORCPT=rfc822;p@x']);
      message.addHeader('X-B', 'b');
    });
    expect(order).toMatchInlineSnapshot(`
      [
        "m 3 Received||",
        "m 2 To| second|",
        "m 1 Subject| first|",
        "i 1 X-I| one|",
        "i 0 X-I| zero|",
        "h X-A| a|",
        "h X-B| b|",
        "e <s@x>|",
        "- <b@example.net>|",
        "+ <r@x>|",
        "2 <p@x>|NOTIFY=NEVER ORCPT=rfc822;p@x|",
        "q odd|",
        "b new",
        "c",
      ]
    `);
  });

  test.each<[string, (message: EndOfMessage) => void, string[]]>([
    [
      'a header changed twice: the last word counts',
      (m) => {
        m.changeHeader('Subject', 1, 'one');
        m.changeHeader('SUBJECT', 1, 'two');
      },
      ['m 1 SUBJECT| two|', 'c'],
    ],
    ['an empty value deletes', (m) => m.changeHeader('Subject', 1, ''), ['m 1 Subject||', 'c']],
    ['deleting', (m) => m.deleteHeader('Subject', 2), ['m 2 Subject||', 'c']],
    [
      'many deletions, from the end',
      (m) => {
        for (const index of [1, 3, 2]) m.deleteHeader('X', index);
      },
      ['m 3 X||', 'm 2 X||', 'm 1 X||', 'c'],
    ],
    ['a large index', (m) => m.changeHeader('X', 70_000, 'v'), ['m 70000 X| v|', 'c']],
    ['folded', (m) => m.addHeader('X', 'a\n\tb\n c'), ['h X| a\n\tb\n c|', 'c']],
    ['bytes', (m) => m.addHeader('X', '\xc3\xa4'), ['h X| \xc3\xa4|', 'c']],
    ['an empty body', (m) => m.replaceBody(Buffer.alloc(0)), ['b ', 'c']],
    ['no chunks', (m) => m.replaceBody([]), ['b ', 'c']],
    [
      'the body replaced twice',
      (m) => {
        m.replaceBody(Buffer.from('one'));
        m.replaceBody([Buffer.from('t'), Buffer.from('wo')]);
      },
      ['b two', 'c'],
    ],
    ['progress', (m) => m.progress(), ['p', 'c']],
    [
      'the sender with arguments',
      (m) => m.changeSender('<s@x>', ['A=1', 'B']),
      ['e <s@x>|A=1 B|', 'c'],
    ],
    ['nothing', () => {}, ['c']],
  ])('%s', (_name, modify, expected) => {
    expect(sent(modify)).toEqual(expected);
  });

  test('without HDR_LEADSPC the MTA adds the space itself', () => {
    const modify = (message: EndOfMessage) => {
      message.addHeader('X-A', 'a');
      message.insertHeader(0, 'X-I', 'i');
      message.changeHeader('X-C', 1, 'c');
    };
    expect(sent(modify, 0xfffff)).toEqual(['m 1 X-C|c|', 'i 0 X-I|i|', 'h X-A|a|', 'c']);
  });

  test('are dropped where the message is not taken', () => {
    const filter: Filter = {
      ...filterThat(() => {}),
      endOfMessage: (message) => {
        message.addHeader('X', 'y');
        message.replaceBody(Buffer.from('new'));
        return 'tempfail';
      },
    };
    expect(answersTo(filter, toTheEnd).slice(-1)).toEqual(['t']);
    expect(answersTo(filter, toTheEnd).filter((line) => /^[hb]/.test(line))).toEqual([]);
  });

  test('are dropped where the hook throws after all', () => {
    const filter = filterThat((message) => {
      message.replaceBody(Buffer.from('new'));
      throw new Error('boom');
    });
    const played = new PlayedSession(filter, { onException: 'accept' }).send(...toTheEnd);
    expect(played.answers.at(-1)).toBe('a');
    expect(played.answers.filter((line) => line.startsWith('b'))).toEqual([]);
  });

  test('a new body goes out whole, in contiguous packets of at most 65535 bytes, uncopied', () => {
    const chunkSizes = fc.array(
      fc.oneof(fc.nat(50), fc.nat(140_000), fc.constantFrom(65_535, 65_536, 131_070)),
      { maxLength: 6 },
    );
    fc.assert(
      fc.property(chunkSizes, (sizes) => {
        const chunks = sizes.map((size, n) => Buffer.alloc(size, `${n}abcdefg`));
        const filter = filterThat((message) => {
          message.addHeader('X', 'y');
          message.replaceBody(chunks);
          message.quarantine('q');
        });
        const played = new PlayedSession(filter).send(...toTheEnd);
        const found = packets(played.bytes).packets;
        const letters = found.map(({ letter }) => letter).join('');
        expect(letters).toMatch(/^O(c+)hqb+c$/);
        const bodies = found.filter(({ letter }) => letter === 'b').map((each) => each.data);
        expect(Buffer.concat(bodies).equals(Buffer.concat(chunks))).toBe(true);
        const total = sizes.reduce((sum, size) => sum + size, 0);
        expect(bodies).toHaveLength(Math.max(1, Math.ceil(total / 65_535)));
        // Less than a read of the MTA's is copied into one write.
        const large = played.writes.filter(({ length }) => total > 65_536 && length > 8192);
        for (const part of large) {
          expect(chunks.some(({ buffer }) => buffer === part.buffer)).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('what could not be sent, or was not agreed, throws and says what would be right', () => {
    const errors: string[] = [];
    const attempts: ((message: EndOfMessage) => void)[] = [
      (m) => m.addHeader('X:', 'a'),
      (m) => m.addHeader('', 'a'),
      (m) => m.addHeader('X\n', 'a'),
      (m) => m.addHeader('X', 'a\nb'),
      (m) => m.addHeader('X', 'a\r\n b'),
      (m) => m.addHeader('X', 'a\0'),
      (m) => m.addHeader('X', 'grüße 漢'),
      (m) => m.addHeader('X', 'x'.repeat(65_535)),
      (m) => m.insertHeader(-1, 'X', 'a'),
      (m) => m.changeHeader('X', 0, 'a'),
      (m) => m.changeHeader('X', 1.5, 'a'),
      (m) => m.addRecipient('<a@b>\r\nDATA'),
      (m) => m.addRecipient('<a@b>', ['X\0Y']),
      (m) => m.deleteRecipient('\0'),
      (m) => m.changeSender('<漢@b>'),
      (m) => m.quarantine('a\nb'),
      (m) => m.quarantine('x'.repeat(60_001)),
      (m) => m.replaceBody('text' as never),
      (m) => m.replaceBody([Buffer.alloc(1), new Uint8Array(1) as never]),
    ];
    const all = filterThat((message) => {
      for (const attempt of attempts) {
        try {
          attempt(message);
          errors.push(`none: ${attempt}`);
        } catch (error) {
          errors.push(String(error).slice(0, 200));
        }
      }
    });
    expect(answersTo(all, toTheEnd).slice(-1)).toEqual(['c']);
    expect(errors).toMatchInlineSnapshot(`
      [
        "RangeError: milter: addHeader: field name "X:": expected printable ASCII without colon",
        "RangeError: milter: addHeader: field name "": expected printable ASCII without colon",
        "RangeError: milter: addHeader: field name "X\\n": expected printable ASCII without colon",
        "RangeError: milter: addHeader: value "a\\nb": expected bytes (toUtf8) without NUL and CR, LF only before space or tab",
        "RangeError: milter: addHeader: value "a\\r\\n b": expected bytes (toUtf8) without NUL and CR, LF only before space or tab",
        "RangeError: milter: addHeader: value "a\\u0000": expected bytes (toUtf8) without NUL and CR, LF only before space or tab",
        "RangeError: milter: addHeader: value "grüße 漢": expected bytes (toUtf8) without NUL and CR, LF only before space or tab",
        "RangeError: milter: addHeader: field of 65536 bytes: expected at most 60000",
        "RangeError: milter: insertHeader: index -1: expected an integer from 0",
        "RangeError: milter: changeHeader: index 0: expected an integer from 1",
        "RangeError: milter: changeHeader: index 1.5: expected an integer from 1",
        "RangeError: milter: addRecipient: "<a@b>\\r\\nDATA": expected bytes (toUtf8) without NUL, CR and LF",
        "RangeError: milter: addRecipient: "X\\u0000Y": expected bytes (toUtf8) without NUL, CR and LF",
        "RangeError: milter: deleteRecipient: "\\u0000": expected bytes (toUtf8) without NUL, CR and LF",
        "RangeError: milter: changeSender: "<漢@b>": expected bytes (toUtf8) without NUL, CR and LF",
        "RangeError: milter: quarantine: "a\\nb": expected bytes (toUtf8) without NUL, CR and LF",
        "RangeError: milter: quarantine: text of 60001 bytes: expected at most 60000",
        "TypeError: milter: replaceBody: expected a Buffer or Buffers",
        "TypeError: milter: replaceBody: expected a Buffer or Buffers",
      ]
    `);
  });

  test('an action that was not asked for, or not granted, throws', () => {
    const errors: string[] = [];
    const note = (message: EndOfMessage) => {
      try {
        message.addRecipient('<a@b>', ['NOTIFY=NEVER']);
      } catch (error) {
        errors.push(String(error));
      }
    };
    answersTo(filterThat(note, ['addRecipients']), toTheEnd);
    answersTo(filterThat(note), [optneg(6, 0x7f), ...toTheEnd.slice(1)]);
    expect(errors[0]).toBe(errors[1]);
    expect(errors[0]).toMatchInlineSnapshot(
      `"Error: milter: addRecipient: addRecipientsWithArguments was not agreed: expected it in the filter's actions and in what the MTA grants (connection.actions)"`,
    );
    const granted: string[][] = [];
    answersTo(
      filterThat(
        (message) => void granted.push([...message.connection.actions]),
        ['addHeaders', 'changeBody'],
      ),
      [optneg(6, 0x1), ...toTheEnd.slice(1)],
    );
    expect(granted).toEqual([['addHeaders']]);
  });

  test('before and after the end of the message there is nothing to modify', () => {
    let kept: EndOfMessage | undefined;
    const early: string[] = [];
    const filter: Filter = {
      ...filterThat((message) => {
        kept = message;
      }),
      mail: (message) => {
        try {
          (message as EndOfMessage).addHeader('X', 'y');
        } catch (error) {
          early.push(String(error));
        }
      },
    };
    answersTo(filter, toTheEnd);
    expect(early).toEqual(['Error: milter: addHeader: expected a running endOfMessage hook']);
    expect(() => kept?.replaceBody([])).toThrow(
      'milter: replaceBody: expected a running endOfMessage',
    );
  });
});
