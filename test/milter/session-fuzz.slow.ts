import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { type Filter, type Hook, type Message, reply } from '../../src/milter/milter.ts';
import { PlayedSession } from '../helpers/milter-session.ts';
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
  packets,
  quitNewConnection,
  rcpt,
  unknown,
} from '../helpers/milter-wire.ts';

// Whatever comes in, in whatever pieces: no exception, no answer too many, no memory, and an end.

/** Commands with an answer, each with its SMFIP_NR_* flag. */
const ANSWERED: Readonly<Record<string, number>> = {
  O: 0,
  C: 0x1000,
  H: 0x2000,
  M: 0x4000,
  R: 0x8000,
  T: 0x10000,
  L: 0x80,
  N: 0x40000,
  B: 0x80000,
  E: 0,
  U: 0x20000,
};

const WORDS = [
  ...Array(24).fill(undefined),
  'continue',
  'accept',
  'reject',
  'tempfail',
  'discard',
  'skip',
  'shutdown',
  'connFail',
  'nonsense',
  reply(550, '5.7.1', ['no', 'never']),
] as const;

/** Answers that depend on nothing but the order of calls, so that two runs can be compared. */
class Oracle {
  #state: number;
  /** What happened to each message, and to each session. */
  readonly messages: string[][] = [];
  readonly sessions: string[][] = [];
  running = 0;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  next(below: number): number {
    this.#state = (Math.imul(this.#state, 1103515245) + 12345) & 0x7fffffff;
    return (this.#state >> 8) % below;
  }

  answer(slow: boolean): never {
    if (this.running > 0) throw new Error('two hooks at once');
    const throws = this.next(60) === 0;
    const word = WORDS[this.next(WORDS.length)];
    const late = this.next(3) === 0;
    if (slow && late) {
      this.running++;
      return new Promise((resolve, reject) => {
        setImmediate(() => {
          this.running--;
          if (throws) reject(new Error('boom'));
          else resolve(word);
        });
      }) as never;
    }
    if (throws) throw new Error('boom');
    return word as never;
  }

  /** `slow`: some answers come later. Body pieces are not part of the comparison: they depend on the reads. */
  filter(silent: readonly Hook[], slow: boolean): Filter<string[]> {
    const ask = () => this.answer(slow);
    const sessions = new Map<number, string[]>();
    const of = (id: number) => {
      const calls = sessions.get(id) ?? [];
      if (calls.length === 0) {
        this.sessions.push(calls);
        sessions.set(id, calls);
        calls.push('open');
      }
      return calls;
    };
    const asked = ({ state }: Message<string[]>) => {
      if (state.includes('abort')) throw new Error('a hook after abort');
      return ask();
    };
    return {
      silent,
      actions: ['addHeaders', 'changeBody', 'changeHeaders'],
      begin: (connection) => {
        of(connection.id);
        const calls: string[] = [];
        this.messages.push(calls);
        return calls;
      },
      connect: (connection) => {
        of(connection.id);
        return ask();
      },
      helo: (connection) => {
        of(connection.id);
        return ask();
      },
      unknown: (connection) => {
        of(connection.id);
        return ask();
      },
      mail: asked,
      rcpt: asked,
      data: asked,
      header: asked,
      endOfHeaders: asked,
      body: (message) => {
        if (message.state.includes('abort')) throw new Error('a hook after abort');
      },
      endOfMessage: (message) => {
        message.addHeader('X-Seen', 'yes');
        message.changeHeader('Subject', 1, '');
        message.replaceBody([Buffer.from('new'), Buffer.from(' body\r\n')]);
        return asked(message);
      },
      abort: (message) => void message.state.push('abort'),
      close: (connection) => void of(connection.id).push('close'),
    };
  }
}

const short = fc.string({ unit: 'binary-ascii', maxLength: 8 });
const long = fc.string({ unit: 'binary-ascii', maxLength: 400 });
const flags = fc.constantFrom(0, 0x7f, 0x1fffff, 0x1fff7f, 0xff580);

const someFrame = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(mail(), rcpt(), data(), eoh(), eob(), abort(), helo()) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(short, short)
      .map(([name, value]) => header(`X${name.replaceAll('\0', '')}`, value.replaceAll('\0', ''))),
  },
  { weight: 2, arbitrary: long.map((text) => body(`x${text}`)) },
  { weight: 1, arbitrary: long.map((text) => eob(text)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(connect(), quitNewConnection(), unknown('x'), packet('C', 'h\0U')),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...'CHMRTLNBEUAZ').map((stage) => macros(stage, { i: 'Q' })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom(...'ABCDEHKLMNORTUQz'), short)
      .map(([letter, text]) => packet(letter, text)),
  },
);

const aMessage = fc
  .tuple(fc.array(long, { maxLength: 3 }), fc.boolean())
  .map(([pieces, ends]) =>
    Buffer.concat([
      ...[mail(), macros('R', { i: 'Q' }), rcpt(), data(), header('Subject', ' x'), eoh()],
      ...pieces.map((piece) => body(`x${piece}`)),
      ends ? eob() : abort(),
    ]),
  );

const stream = fc
  .tuple(
    fc.oneof(
      { weight: 9, arbitrary: flags.map((protocol) => optneg(6, 0x1ff, protocol)) },
      { weight: 1, arbitrary: fc.constant(Buffer.alloc(0)) },
    ),
    fc.array(fc.oneof({ weight: 2, arbitrary: someFrame }, { weight: 1, arbitrary: aMessage }), {
      maxLength: 25,
    }),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }) },
    ),
  )
  .map(([first, frames, mutations]) => {
    const bytes = Buffer.concat([first, connect(), ...frames]);
    for (const [at, value] of mutations) bytes[at % bytes.length] = value;
    return bytes;
  });

const silences = fc.subarray<Hook>([
  'mail',
  'rcpt',
  'header',
  'endOfHeaders',
  'body',
  'helo',
  'unknown',
]);
const cuts = fc.array(fc.nat(), { maxLength: 20 });

function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length];
  ends.sort((a, b) => a - b);
  return ends.map((end, n) => bytes.subarray(ends[n - 1] ?? 0, end));
}

/** How many answers the packets in those bytes can have at most. */
function due(bytes: Buffer, agreed: number): number {
  const known = packets(bytes).packets.map(({ letter }) => ANSWERED[letter]);
  return known.filter((flag) => flag !== undefined && (agreed & flag) === 0).length;
}

function finalAnswers(bytes: Buffer): number {
  return packets(bytes).packets.filter(({ letter }) => /[Oacdrtysf4]/.test(letter)).length;
}

function agreedProtocol(bytes: Buffer): number {
  return bytes.length >= 17 && bytes[4] === 0x4f ? bytes.readUInt32BE(13) : 0;
}

function checkEnds({ messages, sessions }: Oracle): void {
  for (const calls of messages) expect(calls.length).toBeLessThanOrEqual(1);
  for (const calls of sessions) expect(calls).toEqual(['open', 'close']);
}

describe('whatever an MTA sends', () => {
  test('in whatever pieces, the answers are the same, and never more than are due', () => {
    fc.assert(
      fc.property(stream, cuts, silences, fc.nat(), (bytes, places, silent, seed) => {
        const wholeOracle = new Oracle(seed);
        const whole = new PlayedSession(wholeOracle.filter(silent, false)).send(bytes);
        const oracle = new Oracle(seed);
        const played = new PlayedSession(oracle.filter(silent, false));
        let sent = 0;
        for (const piece of cutAt(bytes, places)) {
          played.send(piece);
          sent += piece.length;
          const agreed = agreedProtocol(played.bytes);
          expect(finalAnswers(played.bytes)).toBeLessThanOrEqual(
            due(bytes.subarray(0, sent), agreed),
          );
        }
        expect(played.bytes).toEqual(whole.bytes);
        expect(played.ended).toBe(whole.ended);
        for (const session of [played, whole]) session.close();
        checkEnds(oracle);
        checkEnds(wholeOracle);
        expect(oracle.messages.length).toBe(wholeOracle.messages.length);
      }),
      { numRuns: 1500 },
    );
  });

  test('hooks that take their time give the same answers, one at a time', async () => {
    await fc.assert(
      fc.asyncProperty(stream, cuts, silences, fc.nat(), async (bytes, places, silent, seed) => {
        const whole = new PlayedSession(new Oracle(seed).filter(silent, false)).send(bytes);
        const oracle = new Oracle(seed);
        const played = new PlayedSession(oracle.filter(silent, true));
        for (const piece of cutAt(bytes, places)) played.send(piece);
        await played.settled();
        expect(played.bytes).toEqual(whole.bytes);
        played.close();
        checkEnds(oracle);
      }),
      { numRuns: 400 },
    );
  });

  test('and whenever it goes away, every message and session is seen off once', async () => {
    await fc.assert(
      fc.asyncProperty(stream, cuts, fc.nat(), async (bytes, places, seed) => {
        const oracle = new Oracle(seed);
        const played = new PlayedSession(oracle.filter([], true));
        for (const piece of cutAt(bytes, places).slice(0, -1)) played.send(piece);
        played.close();
        const before = played.bytes.length;
        await played.settled();
        played.send(mail());
        expect(played.bytes).toHaveLength(before);
        checkEnds(oracle);
      }),
      { numRuns: 300 },
    );
  });

  test('noise is no danger, and takes no memory', () => {
    const allocated = vi.spyOn(Buffer, 'allocUnsafe');
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 20 }),
        fc.boolean(),
        (pieces, negotiated) => {
          allocated.mockClear();
          const oracle = new Oracle(1);
          const played = new PlayedSession(oracle.filter([], false));
          if (negotiated) played.send(optneg());
          for (const piece of pieces) played.receive(Buffer.from(piece));
          for (const [size] of allocated.mock.calls) expect(size).toBeLessThanOrEqual(65_540);
          played.close();
          checkEnds(oracle);
        },
      ),
      { numRuns: 1000 },
    );
    allocated.mockRestore();
  });
});
