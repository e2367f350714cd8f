import { describe, expect, test } from 'vitest';
import type { Filter } from '../../src/milter/milter.ts';
import { createMilterServer } from '../../src/milter/milter.ts';
import { answersTo } from '../helpers/milter-session.ts';
import { optneg } from '../helpers/milter-wire.ts';

const hook = () => undefined;
const bare: Filter = { begin: () => undefined };
const all: Filter = {
  ...bare,
  ...{ connect: hook, helo: hook, mail: hook, rcpt: hook, data: hook, header: hook },
  ...{ endOfHeaders: hook, body: hook, endOfMessage: hook, unknown: hook },
};
/** What a link tracker wants. */
const usual: Filter = {
  ...all,
  actions: ['addHeaders', 'changeBody', 'changeHeaders'],
  macros: { connect: ['j'] },
  silent: ['header'],
};

describe('what is agreed: version, actions, protocol, macros', () => {
  test.each<[string, Filter, string, Buffer?]>([
    // What a filter asks for.
    ['every hook', all, 'O 6 0 100400'],
    ['no hook: stages left out, MAIL silent, DATA answered', bare, 'O 6 0 10417b'],
    ['no body hook: no body, no skip', { ...all, body: undefined } as never, 'O 6 0 100010'],
    ['a silent body forbids skip', { ...all, silent: ['body'] }, 'O 6 0 180000'],
    [
      'silent stages',
      { ...all, silent: ['connect', 'helo', 'mail', 'rcpt', 'header', 'endOfHeaders', 'unknown'] },
      'O 6 0 16f480',
    ],
    [
      'NODATA is never agreed, and NR_DATA not over TCP',
      { ...all, silent: ['data'] },
      'O 6 0 100400',
    ],
    [
      'all actions',
      {
        ...all,
        actions: [
          'addHeaders',
          'changeBody',
          'addRecipients',
          'deleteRecipients',
          'changeHeaders',
          'quarantine',
          'changeSender',
          'addRecipientsWithArguments',
        ],
      },
      'O 6 ff 100400',
    ],
    [
      'the sound default, with macros',
      { ...usual, unknown: undefined } as never,
      'O 6 113 100580 0=j',
    ],

    // Macro requests.
    [
      'end of message brings end of headers',
      { ...all, macros: { endOfMessage: ['i', '{x}'] } },
      'O 6 100 100400 5=i x;6=i x',
    ],
    [
      'end of headers brings end of message',
      { ...all, macros: { endOfHeaders: ['i'] } },
      'O 6 100 100400 5=i;6=i',
    ],
    [
      'each its own',
      { ...all, macros: { endOfHeaders: ['i'], endOfMessage: ['j'] } },
      'O 6 100 100400 5=j;6=i',
    ],
    [
      'every stage, names spelt as they must be',
      {
        ...all,
        macros: {
          connect: ['j', '{j}', 'client_addr', '{client_addr}'],
          helo: ['a'],
          mail: ['b'],
          rcpt: ['c'],
          data: ['d'],
        },
      },
      'O 6 100 100400 0=j j {client_addr} {client_addr};1=a;2=b;3=c;4=d',
    ],
    ['an empty list is not sent', { ...all, macros: { connect: [] } }, 'O 6 0 100400'],
    [
      'macros of a stage without hook keep the stage, silently',
      { ...bare, macros: { connect: ['j'] } },
      'O 6 100 10517a 0=j',
    ],

    // What is not offered is not agreed.
    ['version 2', usual, 'O 2 13 0', optneg(2, 0x3f, 0x7f)],
    ['version 7', usual, 'O 6 113 100480 0=j', optneg(7)],
    ['version 2^32 - 1', usual, 'O 6 113 100480 0=j', optneg(0xffffffff)],
    ['no body changes', usual, 'O 6 111 100480 0=j', optneg(6, 0x1fd)],
    ['no macros', usual, 'O 6 13 100480', optneg(6, 0xff)],
    ['no NR_HDR', usual, 'O 6 113 100400 0=j', optneg(6, 0x1ff, 0x1fff7f)],
    ['no SKIP', usual, 'O 6 113 100080 0=j', optneg(6, 0x1ff, 0x1ffbff)],
    ['no HDR_LEADSPC', usual, 'O 6 113 480 0=j', optneg(6, 0x1ff, 0xfffff)],
    [
      'no actions means those of version 1',
      { ...all, actions: ['addHeaders', 'changeHeaders'] },
      'O 6 1 100400',
      optneg(6, 0),
    ],
    ['no protocol means that of version 1', bare, 'O 6 0 3b', optneg(6, 0x1ff, 0)],
    ['larger packets are not asked for', all, 'O 6 0 100400', optneg(6, 0x1ff, 0x301fffff)],
  ])('%s', (_name, filter, agreed, offer = optneg()) => {
    expect(answersTo(filter, [offer])).toEqual([agreed]);
  });
});

test.each<[string, Filter, string, Buffer?]>([
  ['a silent data', { ...all, silent: ['data'] }, 'O 6 0 110400'],
  ['no hook', bare, 'O 6 0 11417b'],
  ['a data that answers', all, 'O 6 0 100400'],
  ['no offer of NR_DATA', bare, 'O 6 0 10417b', optneg(6, 0x1ff, 0x1effff)],
])(
  'over a unix socket DATA need not be answered: %s',
  (_name, filter, agreed, offer = optneg()) => {
    expect(answersTo(filter, [offer], { unix: true })).toEqual([agreed]);
  },
);

describe('macro requests that could not be sent', () => {
  const errorOf = (macros: Filter['macros'] & object) => {
    try {
      createMilterServer({ ...bare, macros });
    } catch (error) {
      return String(error);
    }
    return 'none';
  };

  test('say what would be right', () => {
    expect(errorOf({ connect: Array(51).fill('j') })).toMatchInlineSnapshot(
      `"RangeError: milter: macros.connect: 51 names: expected at most 50"`,
    );
    expect(errorOf({ mail: ['i j'] })).toMatchInlineSnapshot(
      `"RangeError: milter: macros.mail: "i j": expected a name such as i or {client_addr}"`,
    );
    expect(errorOf({ mail: [''] })).toMatchInlineSnapshot(
      `"RangeError: milter: macros.mail: "": expected a name such as i or {client_addr}"`,
    );
    expect(errorOf({ mail: ['{a}{b}\0'] })).toMatchInlineSnapshot(
      `"RangeError: milter: macros.mail: "{a}{b}\\u0000": expected a name such as i or {client_addr}"`,
    );
  });
});
