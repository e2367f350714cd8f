import { describe, expect, test } from 'vitest';
import { type Filter, type Message, reply } from '../../src/milter/milter.ts';
import { answersTo, PlayedSession } from '../helpers/milter-session.ts';
import {
  abort,
  body,
  connect,
  data,
  eob,
  eoh,
  header,
  helo,
  macros,
  mail,
  optneg,
  packet,
  quit,
  quitNewConnection,
  rcpt,
  unknown,
} from '../helpers/milter-wire.ts';

/** Every hook, doing nothing but what a test puts in its place. */
function everyHook<State = undefined>(own: Partial<Filter<State>> = {}): Filter<State> {
  return {
    begin: () => undefined as State,
    connect: () => undefined,
    helo: () => undefined,
    mail: () => undefined,
    rcpt: () => undefined,
    data: () => undefined,
    header: () => undefined,
    endOfHeaders: () => undefined,
    body: () => undefined,
    endOfMessage: () => undefined,
    unknown: () => undefined,
    ...own,
  };
}

/** A filter that writes down which hook saw what. */
function recorder(own: Partial<Filter<undefined>> = {}): { filter: Filter; calls: string[] } {
  const calls: string[] = [];
  const note = (text: string) => void calls.push(text);
  const filter = everyHook({
    begin: () => note('begin') as undefined,
    connect: (_connection, client) => note(`connect ${JSON.stringify(client)}`),
    helo: (_connection, name) => note(`helo ${name}`),
    mail: (_message, { address, args }) => note(`mail ${[address, ...args].join(' ')}`),
    rcpt: (_message, { address, args }) => note(`rcpt ${[address, ...args].join(' ')}`),
    data: () => note('data'),
    header: (_message, { name, value, raw }) =>
      note(`header ${JSON.stringify([name, value, raw])}`),
    endOfHeaders: () => note('endOfHeaders'),
    body: (_message, chunk) => note(`body ${chunk.toString('latin1')}`),
    endOfMessage: () => note('endOfMessage'),
    unknown: (_connection, text) => note(`unknown ${text}`),
    abort: (_message, reason) => note(`abort ${reason}`),
    close: () => note('close'),
    ...own,
  });
  return { filter, calls };
}

const opening = [optneg(), connect(), helo()];
const envelope = [mail(), rcpt()];
const text = [header('Subject', ' hello'), eoh(), body('text\r\n')];
const message = [...envelope, data(), ...text, eob()];
/** The answers to `opening`, for a filter with every hook. */
const opened = ['O 6 0 100400', 'c', 'c'];

describe('a whole session', () => {
  test('every hook is called once, in order, and every command answered', () => {
    const { filter, calls } = recorder();
    const sent = [...opening, ...message, abort(), abort(), quit()];
    expect(answersTo(filter, sent)).toEqual([...opened, ...Array(7).fill('c'), 'end']);
    expect(calls).toMatchInlineSnapshot(`
      [
        "connect {"hostname":"client.test","family":"inet","address":"192.0.2.1","port":4711}",
        "helo client.test",
        "begin",
        "mail a@sender.test",
        "rcpt b@example.net",
        "data",
        "header ["Subject","hello"," hello"]",
        "endOfHeaders",
        "body text
      ",
        "endOfMessage",
        "close",
      ]
    `);
  });

  test('the answers to one read are handed over in one piece', () => {
    const played = new PlayedSession(everyHook()).send(...opening, ...envelope, data(), ...text);
    expect(played.writes).toHaveLength(1);
  });

  test('the next message may begin right after the end of one, as Sendmail does', () => {
    const { filter, calls } = recorder();
    answersTo(filter, [...opening, ...message, ...message]);
    expect(calls.filter((call) => call === 'endOfMessage')).toHaveLength(2);
    expect(calls.filter((call) => call.startsWith('abort'))).toEqual([]);
  });

  test('after QUIT_NC another SMTP session follows on the connection', () => {
    const { filter, calls } = recorder();
    const ids: number[] = [];
    const names: (string | undefined)[] = [];
    const watching = {
      ...filter,
      mail: ({ connection }: Message) => {
        ids.push(connection.id);
        names.push(connection.helo, connection.macro('j'));
      },
    };
    const sent = [
      ...[optneg(), macros('C', { j: 'mta.test' }), connect(), helo()],
      ...[...message, quitNewConnection(), connect('other.test'), mail(), quit()],
    ];
    expect(answersTo(watching, sent)).toEqual([...opened, ...Array(9).fill('c'), 'end']);
    expect(new Set(ids).size).toBe(2);
    expect(names).toEqual(['client.test', 'mta.test', undefined, undefined]);
    expect(calls.filter((call) => /^(close|abort)/.test(call))).toEqual([
      'close',
      'abort disconnected',
      'close',
    ]);
  });
});

describe('what an MTA may send out of order, as libmilter takes it', () => {
  test.each<[string, Buffer[], string[], string[]]>([
    ['MAIL after MAIL gives the first up', [mail(), mail('<x@y>')], ['c', 'c'], ['abort aborted']],
    ['RCPT without MAIL is ignored', [rcpt()], [], []],
    ['ABORT twice', [...envelope, abort(), abort()], ['c', 'c'], ['abort aborted']],
    ['HELO in a message', [...envelope, helo('again')], ['c', 'c', 'c'], ['abort aborted']],
    ['CONNECT again is ignored', [connect()], [], []],
    ['OPTNEG again is ignored', [optneg()], [], []],
    ['end of message right after RCPT', [...envelope, eob()], ['c', 'c', 'c'], []],
    [
      'end of message with data is body, then end',
      [...envelope, eob('text')],
      ['c', 'c', 'c'],
      ['body text'],
    ],
    ['end of message right after MAIL', [mail(), eob()], ['c'], ['abort aborted']],
    ['RCPT after DATA', [...envelope, data(), rcpt()], ['c', 'c', 'c'], ['abort aborted']],
    [
      'QUIT in a message',
      [...envelope, quit()],
      ['c', 'c', 'end'],
      ['abort disconnected', 'close'],
    ],
    [
      'unknown command between recipients',
      [...envelope, unknown('x'), rcpt()],
      Array(4).fill('c'),
      ['unknown x'],
    ],
  ])('%s', (_name, sent, answers, calls) => {
    const recorded = recorder();
    expect(answersTo(recorded.filter, [...opening, ...sent])).toEqual([...opened, ...answers]);
    const interesting = recorded.calls.filter((call) => /^(abort|body|close|unknown)/.test(call));
    expect(interesting).toEqual(calls);
  });
});

describe('what closes the connection without an answer', () => {
  const tooLong = packet('L', Buffer.alloc(65536, 'x'));
  test.each<[string, Buffer[]]>([
    ['length 0', [Buffer.alloc(4)]],
    ['a huge length', [Buffer.from('7fffffff', 'hex')]],
    ['data over 65535', [...envelope, data(), tooLong]],
    ['an unknown command', [packet('Z', 'x')]],
    ['a command of lower case', [packet('m', '<a>\0')]],
    ['HELO without NUL', [packet('H', 'name')]],
    ['MAIL empty', [packet('M')]],
    ['MAIL without NUL', [packet('M', '<a@b>')]],
    ['RCPT without NUL', [mail(), packet('R', '<a@b>')]],
    ['HEADER without value', [...envelope, packet('L', 'Subject\0')]],
    ['HEADER without NUL', [...envelope, packet('L', 'Subject')]],
    ['HEADER whose value has no NUL', [...envelope, packet('L', 'Subject\0x')]],
    ['HEADER without a name', [...envelope, packet('L', '\0x\0')]],
    ['BODY without data', [...envelope, packet('B')]],
    ['an empty macro packet', [packet('D')]],
    [
      'macros of a session over 65535 bytes',
      ['C', 'M', 'R'].map((stage) => macros(stage, { x: 'x'.repeat(22_000) })),
    ],
    ['UNKNOWN without NUL', [packet('U', 'x')]],
  ])('%s', (_name, sent) => {
    const played = new PlayedSession(everyHook()).send(...opening, ...sent);
    expect(played.ended).toBe(true);
    expect(played.events.map(({ type }) => type)).toEqual(['protocol-error']);
    expect(played.answers.every((line) => ['c', 'end', opened[0]].includes(line))).toBe(true);
    const before = played.bytes.length;
    played.send(mail());
    expect(played.bytes).toHaveLength(before);
  });

  test.each<[string, Buffer]>([
    ['CONNECT', connect()],
    ['MAIL', mail()],
    ['ABORT', abort()],
    ['OPTNEG shorter than 12 bytes', packet('O', '\0\0\0\x06')],
    ['version 1', optneg(1)],
  ])('%s as the first command', (_name, sent) => {
    expect(answersTo(everyHook(), [sent, mail()])).toEqual(['end']);
  });

  test('QUIT as the first command is no error', () => {
    const played = new PlayedSession(everyHook()).send(quit());
    expect(played.answers).toEqual(['end']);
    expect(played.events).toEqual([]);
  });
});

describe('answers', () => {
  test.each([
    ['accept', 'a'],
    ['reject', 'r'],
    ['tempfail', 't'],
    ['discard', 'd'],
    ['connFail', 'f'],
    ['shutdown', '4'],
    [reply(550, '5.7.1', 'no 100%'), 'y 550 5.7.1 no 100%%|'],
    [reply(450, '4.7.1', ['one', 'two']), 'y 450-4.7.1 one\r\n450 4.7.1 two|'],
  ] as const)(
    '%s to MAIL ends the message for the filter, and what follows of it is ignored',
    (answer, line) => {
      const { filter, calls } = recorder({ mail: () => answer });
      const sent = [...opening, ...message];
      expect(answersTo(filter, sent)).toEqual([...opened, line]);
      expect(calls.slice(2)).toEqual(['begin']);
    },
  );

  test.each(['data', 'header', 'endOfHeaders', 'body', 'endOfMessage'] as const)(
    'a rejection at %s is the last answer of the message',
    (hook) => {
      const { filter } = recorder({ [hook]: () => 'reject' });
      const answers = answersTo(filter, [...opening, ...message, ...envelope]);
      const due = { data: 2, header: 3, endOfHeaders: 4, body: 5, endOfMessage: 6 }[hook];
      expect(answers.slice(3)).toEqual([...Array(due).fill('c'), 'r', 'c', 'c']);
    },
  );

  test.each(['reject', 'tempfail'] as const)('%s to RCPT means that recipient', (answer) => {
    const refuse = everyHook({
      rcpt: (_message, { address }) => (address === 'no@b' ? answer : undefined),
    });
    const sent = [...opening, mail(), rcpt('<no@b>'), rcpt(), data(), ...text, eob()];
    const letter = answer[0];
    expect(answersTo(refuse, sent).slice(3)).toEqual(['c', letter, ...Array(6).fill('c')]);
  });

  test('accept to RCPT means the message', () => {
    const filter = everyHook({ rcpt: () => 'accept' });
    expect(answersTo(filter, [...opening, ...envelope, data(), ...text, eob()]).slice(3)).toEqual([
      'c',
      'a',
    ]);
  });

  test('skip ends the body: no more of it is handed to the filter, should more come', () => {
    const { filter, calls } = recorder({
      body: () => {
        calls.push('body');
        return 'skip';
      },
    });
    const sent = [...opening, ...envelope, data(), eoh(), body('a'), body('b'), eob('c')];
    expect(answersTo(filter, sent).slice(3)).toEqual(['c', 'c', 'c', 'c', 's', 'c', 'c']);
    expect(calls.filter((call) => call === 'body')).toHaveLength(1);
  });

  test('skip is sent only where it was offered, and heeded anyway', () => {
    const { filter, calls } = recorder({
      body: () => {
        calls.push('body');
        return 'skip';
      },
    });
    const sent = [
      optneg(6, 0x1ff, 0x3ff),
      connect(),
      helo(),
      ...envelope,
      body('a'),
      body('b'),
      eob(),
    ];
    expect(answersTo(filter, sent)).toEqual(['O 6 0 0', ...Array(7).fill('c')]);
    expect(calls.filter((call) => call === 'body')).toHaveLength(1);
  });

  test.each(['connect', 'helo', 'mail', 'rcpt', 'data', 'header', 'endOfHeaders', 'endOfMessage'])(
    'skip to %s never reaches the MTA',
    (hook) => {
      // Sendmail would send the mail unfiltered, or without its body.
      const filter = everyHook({ [hook]: () => 'skip' });
      const played = new PlayedSession(filter).send(...opening, ...message);
      expect(played.answers).toContain('t');
      expect(played.answers).not.toContain('s');
      expect(played.events.map(({ type }) => type)).toContain('exception');
    },
  );

  test.each([
    [true, 'boolean'],
    [1, 'number'],
    ['Accept', '"Accept"'],
    ['toString', '"toString"'],
    [{}, 'object'],
    [{ payload: 5 }, 'object'],
    [Object.create(null), 'object'],
  ])('%o is not an answer', (answer, name) => {
    const played = new PlayedSession(everyHook({ mail: () => answer as never }));
    expect(played.send(...opening, mail()).answers).toEqual([...opened, 't']);
    expect(played.events[0]).toMatchObject({
      type: 'exception',
      hook: 'mail',
      answered: 'tempfail',
      error: new TypeError(`milter: mail: ${name} is not an answer to this hook`),
    });
  });
});

describe('hooks that throw', () => {
  const stages = [
    'connect',
    'helo',
    'begin',
    'mail',
    'rcpt',
    'data',
    'header',
    'endOfHeaders',
    'body',
    'endOfMessage',
    'unknown',
  ] as const;

  describe.each(['tempfail', 'accept'] as const)('onException %s', (onException) => {
    test.each(stages.flatMap((stage) => [[stage, false] as const, [stage, true] as const]))(
      'in %s (async: %j) lead to one legal answer, and an event with the queue id',
      async (stage, async) => {
        const error = new Error('boom');
        const filter = everyHook({
          [stage]: () => {
            if (async && stage !== 'begin') return Promise.reject(error);
            throw error;
          },
        });
        const played = new PlayedSession(filter, { onException });
        const sent = [
          ...[...opening, unknown('x'), mail(), macros('R', { i: 'QUEUE-ID' }), rcpt()],
          ...[data(), ...text, eob()],
        ];
        for (const bytes of sent) await played.send(bytes).settled();
        const letter = onException === 'accept' ? 'a' : 't';
        const answers = played.answers.slice(1);
        expect(answers.filter((line) => line === letter).length).toBeGreaterThanOrEqual(1);
        expect(answers.every((line) => line === 'c' || line === letter)).toBe(true);
        const exceptions = played.events.filter(({ type }) => type === 'exception');
        expect(exceptions).toEqual([
          {
            type: 'exception',
            hook: stage === 'begin' ? 'mail' : stage,
            error,
            answered: onException,
            connection: played.connection.session.place.connection,
            queueId: stages.indexOf(stage) > 3 && stage !== 'unknown' ? 'QUEUE-ID' : undefined,
          },
        ]);
      },
    );
  });

  test('tempfail refuses every recipient of the message, and the filter is not asked again', () => {
    const { filter, calls } = recorder({
      rcpt: () => {
        throw new Error('boom');
      },
    });
    const sent = [...opening, mail(), rcpt(), rcpt(), data(), ...text, eob(), mail()];
    expect(answersTo(filter, sent).slice(3)).toEqual(['c', 't', 't', 't', 'c']);
    expect(calls.slice(4)).toEqual(['abort exception', 'begin', 'mail a@sender.test']);
  });

  test('abort and close have no answer to give', () => {
    const filter = everyHook({
      abort: () => {
        throw new Error('abort');
      },
      close: () => {
        throw new Error('close');
      },
    });
    const played = new PlayedSession(filter).send(...opening, mail(), abort(), quit());
    expect(played.answers).toEqual([...opened, 'c', 'end']);
    expect(played.events).toMatchObject([
      { type: 'exception', hook: 'abort', answered: 'nothing' },
      { type: 'exception', hook: 'close', answered: 'nothing' },
    ]);
  });
});

describe('stages without reply', () => {
  const silent = [
    'connect',
    'helo',
    'mail',
    'rcpt',
    'header',
    'endOfHeaders',
    'body',
    'unknown',
  ] as const;

  test('only DATA and the end are answered', () => {
    const filter = everyHook({ silent: [...silent, 'data'] });
    const sent = [...opening, unknown('x'), ...message];
    expect(answersTo(filter, sent)).toEqual(['O 6 0 1ef080', 'c', 'c']);
  });

  test('over a unix socket only the end is answered', () => {
    const filter = everyHook({ silent: [...silent, 'data'] });
    const sent = [...opening, unknown('x'), ...message];
    expect(answersTo(filter, sent, { unix: true })).toEqual(['O 6 0 1ff080', 'c']);
  });

  test('where the MTA does not offer it, they are answered with continue', () => {
    const filter = everyHook({ silent });
    const sent = [optneg(6, 0x1ff, 0x7f), connect(), helo(), unknown('x'), ...message];
    expect(answersTo(filter, sent)).toEqual(['O 6 0 0', ...Array(10).fill('c')]);
  });

  test.each(silent.slice(2, -1))('an answer of a silent %s waits for the next reply', (hook) => {
    const { filter, calls } = recorder({ silent, [hook]: () => 'discard' });
    const answers = answersTo(filter, [...opening, ...message, ...message]);
    expect(answers.slice(1)).toEqual(
      ['mail', 'rcpt'].includes(hook) ? ['d', 'd'] : ['c', 'd', 'c', 'd'],
    );
    expect(calls).not.toContain('endOfMessage');
  });

  test.each(['connect', 'helo', 'unknown'] as const)('a silent %s has no answer', (hook) => {
    const played = new PlayedSession(everyHook({ silent, [hook]: () => 'reject' }));
    played.send(...opening, unknown('x'), ...message);
    expect(played.answers.slice(1)).toEqual(['c', 'c']);
    expect(played.events).toMatchObject([{ type: 'exception', hook, answered: 'nothing' }]);
  });

  test('an exception in a silent hook is answered once, when a reply is due', () => {
    const filter = everyHook({
      silent,
      header: () => {
        throw new Error('boom');
      },
    });
    const played = new PlayedSession(filter).send(...opening, ...message);
    expect(played.answers.slice(1)).toEqual(['c', 't']);
    expect(played.events).toHaveLength(1);
  });
});

describe('limits', () => {
  const many = [header('A', ' 1'), header('B', ' 2'), header('C', ' 3')];
  test.each([
    ['recipients', { recipients: 1 }, [...envelope, rcpt(), data(), ...text, eob()], 3],
    [
      'recipients',
      { recipients: 2 },
      [...envelope, rcpt(`<${'x'.repeat(2000)}>`), data(), eob()],
      3,
    ],
    ['headerCount', { headerCount: 2 }, [...envelope, data(), ...many, eoh(), eob()], 6],
    ['headerBytes', { headerBytes: 8 }, [...envelope, data(), ...many, eoh(), eob()], 6],
    [
      'bodyBytes',
      { bodyBytes: 7 },
      [...envelope, data(), eoh(), body('1234'), body('5678'), eob()],
      6,
    ],
    ['bodyBytes', { bodyBytes: 7 }, [...envelope, data(), eoh(), body('1234'), eob('5678')], 6],
  ] as const)('%s: the message passes, which is said once', (limit, limits, sent, due) => {
    const { filter, calls } = recorder();
    const played = new PlayedSession(filter, { limits });
    played.send(...opening, ...sent, ...envelope, data(), eoh(), eob());
    const passed = [...Array(due - 1).fill('c'), 'a'];
    expect(played.answers.slice(3)).toEqual([...passed, ...Array(5).fill('c')]);
    expect(played.events).toMatchObject([
      { type: 'over-limit', limit, maximum: Object.values(limits)[0] },
    ]);
    expect(calls.filter((call) => call.startsWith('abort'))).toEqual(['abort over-limit']);
    expect(calls.filter((call) => call === 'endOfMessage')).toHaveLength(1);
  });

  test('with a silent body the answer waits for the end', () => {
    const { filter, calls } = recorder({ silent: ['body'] });
    const played = new PlayedSession(filter, { limits: { bodyBytes: 4 } });
    played.send(...opening, ...envelope, data(), eoh(), body('1234'), body('5'), body('6'), eob());
    expect(played.answers.slice(3)).toEqual(['c', 'c', 'c', 'c', 'a']);
    expect(calls.filter((call) => call.startsWith('body'))).toEqual(['body 1234']);
  });
});

describe('the body', () => {
  test('comes packet by packet, however it was read', () => {
    const { filter, calls } = recorder();
    const played = new PlayedSession(filter).send(...opening, ...envelope, data(), eoh());
    const bytes = body('abcdef');
    for (const byte of bytes) played.send(Buffer.of(byte));
    expect(calls.filter((call) => call.startsWith('body'))).toEqual(['body abcdef']);
    expect(played.answers.slice(7)).toEqual(['c']);
  });

  test('a body packet out of order is ignored, all of it', () => {
    const { filter, calls } = recorder();
    const played = new PlayedSession(filter).send(...opening);
    const bytes = body('abcdef');
    played.send(bytes.subarray(0, 8)).send(bytes.subarray(8)).send(mail());
    expect(played.answers.slice(3)).toEqual(['c']);
    expect(calls.filter((call) => call.startsWith('body'))).toEqual([]);
  });

  test('pieces are views on what was read', () => {
    const chunks: Buffer[] = [];
    const filter = everyHook({ body: (_message, chunk) => void chunks.push(chunk) });
    const read = Buffer.concat([...opening, ...envelope, body('abc'), body('def')]);
    new PlayedSession(filter).receive(read);
    expect(chunks.map(({ buffer }) => buffer)).toEqual([read.buffer, read.buffer]);
  });
});

describe('macros', () => {
  test('x and {x} are one name, the latest stage wins, a command clears the later ones', () => {
    const seen: (string | undefined)[][] = [];
    const look = ({ connection }: Message) => {
      const names = ['i', '{i}', '{a}', 'a', 'daemon_name', '{daemon_name}', '{b}'];
      seen.push(names.map((name) => connection.macro(name)));
    };
    const filter = everyHook({ mail: look, rcpt: look, endOfMessage: look });
    answersTo(filter, [
      optneg(),
      ...[macros('C', { '{daemon_name}': 'd', i: 'connect' }), connect()],
      ...[macros('M', { a: '1' }), mail(), macros('R', { '{i}': 'Q1', '{b}': 'x' }), rcpt()],
      ...[macros('R', { '{i}': 'Q1' }), rcpt(), macros('E', { a: '2' }), eob()],
      ...[mail()],
    ]);
    expect(seen).toEqual([
      ['connect', 'connect', '1', '1', 'd', 'd', undefined],
      ['Q1', 'Q1', '1', '1', 'd', 'd', 'x'],
      ['Q1', 'Q1', '1', '1', 'd', 'd', undefined],
      ['Q1', 'Q1', '2', '2', 'd', 'd', undefined],
      ['connect', 'connect', undefined, undefined, 'd', 'd', undefined],
    ]);
  });

  test('those of one session may have 65535 bytes, each time, and a hostile number of names', () => {
    const seen: (string | undefined)[] = [];
    const look = ({ connection }: Message) => {
      seen.push(connection.macro('x')?.slice(0, 3), connection.macro('n5'));
    };
    const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`n${n}`, `${n}`]));
    const { answers, ended } = new PlayedSession(everyHook({ mail: look })).send(
      optneg(),
      ...['aa', 'bb', 'cc'].flatMap((x) => [macros('M', { x: x.repeat(30_000) }), mail(), abort()]),
      ...[macros('M', many), mail()],
    );
    expect(seen).toEqual(['aaa', undefined, 'bbb', undefined, 'ccc', undefined, undefined, '5']);
    expect(ended).toBe(false);
    expect(answers).toHaveLength(5);
  });

  test('the stage letters L, B, U and A, unknown ones, odd counts and no macros at all are taken', () => {
    const filter = everyHook({
      endOfMessage: (message) => reply(450, '4.0.0', message.macro('i') ?? 'none'),
    });
    const odd = [
      packet('D', 'L'),
      packet('D', 'Zi\0x\0'),
      packet('D', 'Bi\0'),
      packet('D', 'Tj\0x'),
    ];
    const sent = [
      ...opening,
      ...envelope,
      macros('N', { i: 'Q' }),
      ...odd,
      eob(),
      macros('U', {}),
      unknown('x'),
      macros('A', {}),
      abort(),
    ];
    expect(answersTo(filter, sent).slice(3)).toEqual(['c', 'c', 'y 450 4.0.0 Q|', 'c']);
  });
});

describe('header values', () => {
  const cases = [
    ['Subject', ' hello', 'hello', ' hello'],
    ['Subject', 'hello', 'hello', 'hello'],
    ['Subject', '\thello', '\thello', '\thello'],
    ['Subject', '  hello', ' hello', '  hello'],
    ['Subject', ' a\n\tb\n c', 'a\n\tb\n c', ' a\n\tb\n c'],
    ['X-Bytes', ' \xe9\xff', '\xe9\xff', ' \xe9\xff'],
    ['X-Empty', '', '', ''],
  ] as const;
  test.each(cases)('with HDR_LEADSPC, %s:%j', (name, sent, value, raw) => {
    const { filter, calls } = recorder();
    answersTo(filter, [...opening, ...envelope, header(name, sent)]);
    expect(calls.at(-1)).toBe(`header ${JSON.stringify([name, value, raw])}`);
  });

  test.each(cases)('without HDR_LEADSPC, %s:%j', (name, sent) => {
    const { filter, calls } = recorder();
    answersTo(filter, [optneg(6, 0x1ff, 0xfffff), connect(), ...envelope, header(name, sent)]);
    expect(calls.at(-1)).toBe(`header ${JSON.stringify([name, sent, ` ${sent}`])}`);
  });
});

describe('hooks that take their time', () => {
  test('nothing more is handled meanwhile, and then all of it', async () => {
    let go = () => {};
    const order: string[] = [];
    const filter = everyHook({
      rcpt: () =>
        new Promise<void>((resolve) => {
          go = () => resolve(void order.push('done'));
        }),
      data: () => void order.push('data'),
    });
    const played = new PlayedSession(filter).send(...opening, ...envelope, data(), ...text, eob());
    expect(played.answers.slice(3)).toEqual(['c']);
    go();
    await played.settled();
    expect(order).toEqual(['done', 'data']);
    expect(played.answers.slice(3)).toEqual(Array(7).fill('c'));
  });

  test('PROGRESS is sent while the end of the message is worked on, and only then', async () => {
    let go = () => {};
    const filter = everyHook({
      endOfMessage: () =>
        new Promise<void>((resolve) => {
          go = resolve;
        }),
    });
    const played = new PlayedSession(filter, { progress: 5 }).send(...opening, ...message);
    const progress = () => played.answers.filter((line) => line === 'p').length;
    await expect.poll(progress).toBeGreaterThanOrEqual(3);
    go();
    await played.settled();
    const answers = played.answers.slice(9);
    expect(answers.pop()).toBe('c');
    expect(new Set(answers)).toEqual(new Set(['p']));
  });

  test('a lost connection aborts the signal, and the last hooks wait for the running one', async () => {
    let given: AbortSignal | undefined;
    const { filter, calls } = recorder({
      endOfMessage: ({ signal }) => {
        given = signal;
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      },
    });
    const played = new PlayedSession(filter).send(...opening, ...message);
    expect(given?.aborted).toBe(false);
    played.close();
    expect(given?.aborted).toBe(true);
    expect(calls).not.toContain('close');
    await played.settled();
    expect(calls.slice(-2)).toEqual(['abort disconnected', 'close']);
    expect(played.answers).toHaveLength(9);
    expect(played.events).toMatchObject([{ type: 'disconnected' }]);
  });

  test('the signal of a message is aborted when the MTA gives it up', () => {
    const signals: AbortSignal[] = [];
    const filter = everyHook({ mail: ({ signal }) => void signals.push(signal) });
    answersTo(filter, [...opening, mail(), abort(), mail(), mail()]);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, false]);
  });

  test('an answer that comes too late is dropped', async () => {
    let go = () => {};
    const filter = everyHook({
      actions: ['changeBody'],
      endOfMessage: (over) =>
        new Promise<void>((resolve) => {
          go = () => {
            expect(() => over.replaceBody(Buffer.alloc(1))).not.toThrow();
            resolve();
          };
        }),
    });
    const played = new PlayedSession(filter).send(...opening, ...message);
    const before = played.bytes.length;
    played.close();
    go();
    await played.settled();
    expect(played.bytes).toHaveLength(before);
  });
});
