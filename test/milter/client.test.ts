import type { AddressInfo } from 'node:net';
import { createServer, type ServerOpts, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import {
  applyModifications,
  connectMilter,
  createMilterServer,
  type Filter,
  type MilterClient,
  type MilterClientOptions,
  type MilterServer,
  type Modification,
  reply,
} from '../../src/milter/milter.ts';
import { optneg, packet, packets, show, u32 } from '../helpers/milter-wire.ts';

const toClose: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close();
});

const bytes = (...lines: string[]) => Buffer.from(lines.join('\r\n'), 'latin1');
const message = bytes(
  'Subject: hello',
  'X-Folded: a',
  '\tb',
  'X-Bare:c',
  '',
  'line one',
  'line two',
  '',
);

/** A client connected to that filter. */
async function against<State>(
  filter: Filter<State>,
  options?: MilterClientOptions,
): Promise<MilterClient> {
  const server: MilterServer = createMilterServer(filter);
  toClose.push(() => server.close({ deadline: 0 }));
  const { port } = (await server.listen({ host: '127.0.0.1', port: 0 })) as AddressInfo;
  const client = await connectMilter({ port }, options);
  toClose.push(() => client.destroy());
  return client;
}

/** A milter of a few lines: gives those answers, a packet each to a command that is answered, and notes what it got. */
async function scripted(
  answers: Readonly<Record<string, readonly Buffer[]>>,
  negotiated: Buffer = optneg(6, 0, 0),
  options: ServerOpts = {},
): Promise<{ port: number; got: string[] }> {
  const got: string[] = [];
  const server = createServer(options, (socket: Socket) => {
    let rest = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      const found = packets(Buffer.concat([rest, chunk]));
      rest = Buffer.from(found.rest);
      for (const each of found.packets) {
        if (each.letter === 'D' && each.data.length === 1) continue;
        got.push(show(each));
        if (each.letter === 'O') socket.write(negotiated);
        else if ('CHMRTLNBEU'.includes(each.letter)) {
          socket.write(Buffer.concat(answers[each.letter] ?? [packet('c')]));
        }
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  toClose.push(() => server.close());
  return { port: (server.address() as AddressInfo).port, got };
}

async function connected(port: number): Promise<MilterClient> {
  const client = await connectMilter({ port }, { timeout: 5_000 });
  toClose.push(() => client.destroy());
  return client;
}

test('a milter that does not close is left after the time-out', async () => {
  const { port } = await scripted({}, optneg(6, 0, 0), { allowHalfOpen: true });
  const client = await connectMilter({ port }, { timeout: 100 });
  await client.quit();
});

describe('a message', () => {
  test('is sent as Postfix sends it', async () => {
    const { port, got } = await scripted({}, optneg(6, 0, 0x100000));
    const client = await connected(port);
    await client.open({
      client: { hostname: 'h.test', family: 'inet6', address: '2001:db8::1', port: 0x3132 },
      helo: 'h.test',
      macros: { connect: { j: 'mta.test' } },
    });
    const macros = { rcpt: { i: 'Q1' }, endOfMessage: { i: 'Q1' } };
    await client.send({
      message,
      macros,
      senderArgs: ['SIZE=1'],
      recipients: ['<a@b>', '<c@d>'],
      bodyChunk: 12,
    });
    await client.quit();
    expect(got).toMatchInlineSnapshot(`
      [
        "O 6 1ff 1fffff",
        "D Cj|mta.test|",
        "C h.test|612IPv6:2001:db8::1|",
        "H h.test|",
        "M <sender@example.com>|SIZE=1|",
        "D Ri|Q1|",
        "R <a@b>|",
        "D Ri|Q1|",
        "R <c@d>|",
        "T",
        "L Subject| hello|",
        "L X-Folded| a
      	b|",
        "L X-Bare|c|",
        "N",
        "B line one
      li",
        "B ne two",
        "D Ei|Q1|",
        "E",
        "Q",
      ]
    `);
  });

  test('without HDR_LEADSPC loses the space of its fields', async () => {
    const { port, got } = await scripted({});
    await (await connected(port)).send({ message });
    expect(got.filter((line) => line.startsWith('L'))).toEqual([
      'L Subject|hello|',
      'L X-Folded|a\n\tb|',
      'L X-Bare|c|',
    ]);
  });

  test('the end may carry the last of the body', async () => {
    const { port, got } = await scripted({});
    const result = await (await connected(port)).send({
      message,
      endWithData: true,
      bodyChunk: 16,
    });
    expect(got.slice(-2)).toEqual(['B line one\r\nline t', 'E wo']);
    expect(result.bodySent).toBe(20);
  });

  test('that is not touched is the very buffer that was sent', async () => {
    const client = await against({ begin: () => undefined });
    expect((await client.send({ message })).message).toBe(message);
  });

  test('comes back changed', async () => {
    const client = await against({
      begin: () => undefined,
      actions: [
        'addHeaders',
        'changeHeaders',
        'changeBody',
        'addRecipients',
        'deleteRecipients',
        'changeSender',
        'quarantine',
      ],
      endOfMessage: (over) => {
        over.addHeader('X-New', 'a\n b');
        over.insertHeader(0, 'X-First', '1');
        over.changeHeader('subject', 1, 'bye');
        over.deleteHeader('X-Bare', 1);
        over.replaceBody([Buffer.from('new '), Buffer.from('body\r\n')]);
        over.addRecipient('<new@b>');
        over.deleteRecipient('<recipient@example.net>');
        over.changeSender('<other@b>');
        over.quarantine('odd');
      },
    });
    const result = await client.send({ message });
    expect(result.message.toString('latin1').split('\r\n')).toEqual([
      ...['X-First: 1', 'subject: bye', 'X-Folded: a', '\tb', 'X-New: a', ' b', '', 'new body', ''],
    ]);
    expect(result).toMatchObject({
      answer: 'continue',
      stage: 'endOfMessage',
      sender: '<other@b>',
      recipients: ['<new@b>'],
      quarantine: 'odd',
    });
  });

  test('large ones, many of them, over one connection', async () => {
    const client = await against<Buffer[]>({
      begin: () => [],
      actions: ['changeBody'],
      body: ({ state }, chunk) => void state.push(chunk),
      endOfMessage: (over) => over.replaceBody(over.state),
    });
    const large = Buffer.concat([message, Buffer.alloc(400_000, 'text\r\n')]);
    for (let n = 0; n < 20; n++) {
      const result = await client.send({ message: large, bodyChunk: 1000 + n * 5000 });
      expect(result.message.equals(large)).toBe(true);
      if (n % 3 === 0) client.abort();
      if (n % 7 === 0) client.quitSession();
    }
  });
});

describe('answers are heeded', () => {
  const nothing = { begin: () => undefined };
  test.each<[string, Filter, object]>([
    [
      'accept at MAIL',
      { ...nothing, mail: () => 'accept' },
      { answer: 'accept', stage: 'mail', bodySent: 0 },
    ],
    ['reject at DATA', { ...nothing, data: () => 'reject' }, { answer: 'reject', stage: 'data' }],
    [
      'discard at a header',
      { ...nothing, header: () => 'discard' },
      { answer: 'discard', stage: 'header' },
    ],
    [
      'tempfail at end of headers',
      { ...nothing, endOfHeaders: () => 'tempfail' },
      { answer: 'tempfail', stage: 'endOfHeaders' },
    ],
    [
      'skip',
      { ...nothing, body: () => 'skip' },
      { answer: 'continue', stage: 'endOfMessage', bodySent: 8 },
    ],
    [
      'a reply at the end',
      { ...nothing, endOfMessage: () => reply(550, '5.7.1', ['100%', 'no']) },
      {
        answer: { code: 550, enhancedCode: '5.7.1', lines: ['100%', 'no'] },
        stage: 'endOfMessage',
      },
    ],
    [
      'accept at CONNECT',
      { ...nothing, connect: () => 'accept', mail: () => 'reject' },
      { answer: 'accept', stage: 'session' },
    ],
    [
      'reject at HELO',
      { ...nothing, helo: () => 'reject' },
      { answer: 'reject', stage: 'session' },
    ],
    ['no body wanted', { ...nothing, mail: () => undefined }, { answer: 'continue', bodySent: 0 }],
  ])('%s', async (_name, filter, expected) => {
    const client = await against(filter);
    expect(await client.send({ message, bodyChunk: 8 })).toMatchObject(expected);
    expect((await client.send({ message })).message).toBe(message);
  });

  test('refused recipients are left out, and the message goes on', async () => {
    const client = await against({
      begin: () => undefined,
      rcpt: (_message, { address }) => (address.startsWith('no') ? 'reject' : undefined),
    });
    const mixed = await client.send({ message, recipients: ['<no@b>', '<yes@b>', '<nono@b>'] });
    expect(mixed).toMatchObject({ answer: 'continue', recipients: ['<yes@b>'] });
    expect([...mixed.refused]).toEqual([
      ['<no@b>', 'reject'],
      ['<nono@b>', 'reject'],
    ]);
    const none = await client.send({ message, recipients: ['<no@b>'] });
    expect(none).toMatchObject({ answer: 'reject', stage: 'rcpt', recipients: [] });
    expect((await client.send({ message })).answer).toBe('continue');
  });
});

describe('what no milter may do', () => {
  test.each([
    ['agree to actions that were not offered', optneg(6, 0x200, 0), /was not offered/],
    ['agree to flags that were not offered', optneg(6, 0, 0x200000), /was not offered/],
    ['answer a later version', optneg(7, 0, 0), /was not offered/],
    ['negotiate with something else', packet('c'), /expected O/],
    ['close', packet('O', u32(6)), /expected O/],
  ])('%s', async (_name, negotiated, error) => {
    const { port } = await scripted({}, negotiated);
    await expect(connected(port)).rejects.toThrow(error);
  });

  test.each([
    ['an unknown reply', [packet('Z')], /reply "Z": expected an answer/],
    ['a reply code that is none', [packet('y', 'hello\0')], /"hello": expected an SMTP reply/],
    ['a header without NUL', [packet('h', 'X')], /expected name, NUL, value, NUL/],
    ['a huge frame', [Buffer.from('7fffffff70', 'hex')], /length 2147483647/],
  ])('%s', async (_name, answers, error) => {
    const { port } = await scripted({ E: answers });
    await expect((await connected(port)).send({ message })).rejects.toThrow(error);
  });

  test('keep silent for ever', async () => {
    const { port } = await scripted({ E: [] });
    const client = await connectMilter({ port }, { timeout: 50 });
    await expect(client.send({ message })).rejects.toThrow('milter client: no reply within 50 ms');
  });

  test('not be there', async () => {
    await expect(connectMilter({ path: '/nonexistent.sock' })).rejects.toThrow(/ENOENT/);
  });
});

describe('modifications of a message', () => {
  const change = (name: string, index: number, value: string): Modification => ({
    type: 'changeHeader',
    name,
    index,
    value,
  });
  test.each<[string, string[], Modification[], string[]]>([
    [
      'the second of a name',
      ['A: 1', 'B: 2', 'a: 3', '', 'x'],
      [change('A', 2, 'new')],
      ['A: 1', 'B: 2', 'A: new', '', 'x'],
    ],
    [
      'insertions about the Received of the MTA',
      ['A: 1', '', 'x'],
      [
        { type: 'insertHeader', index: 0, name: 'T', value: 'zero' },
        { type: 'insertHeader', index: 2, name: 'B', value: 'two' },
        { type: 'insertHeader', index: 99, name: 'E', value: 'end' },
      ],
      ['T: zero', 'B: two', 'A: 1', 'E: end', '', 'x'],
    ],
    [
      'past the end appends',
      ['A: 1', '', 'x'],
      [change('A', 5, 'new')],
      ['A: 1', 'A: new', '', 'x'],
    ],
    ['deleting what is not there', ['A: 1', '', 'x'], [change('B', 1, '')], ['A: 1', '', 'x']],
    [
      'deletions one after another',
      ['A: 1', 'A: 2', 'A: 3', '', 'x'],
      [change('A', 3, ''), change('A', 1, '')],
      ['A: 2', '', 'x'],
    ],
    [
      'no header at all',
      ['', 'x'],
      [{ type: 'addHeader', name: 'A', value: 'b' }],
      ['A: b', '', 'x'],
    ],
    [
      'no body at all',
      ['A: 1', ''],
      [{ type: 'addHeader', name: 'B', value: 'c' }],
      ['A: 1', 'B: c', '', ''],
    ],
    [
      'a body of several packets',
      ['A: 1', '', 'x'],
      [
        { type: 'replaceBody', chunk: bytes('y', '') },
        { type: 'replaceBody', chunk: bytes('z') },
      ],
      ['A: 1', '', 'y', 'z'],
    ],
    [
      'an empty body',
      ['A: 1', '', 'x'],
      [{ type: 'replaceBody', chunk: bytes() }],
      ['A: 1', '', ''],
    ],
    [
      'bytes stay',
      ['A:\xff', 'B: \xc3\xa4', '\tc', '', '\0\xff'],
      [{ type: 'insertHeader', index: 1, name: 'C', value: 'd' }],
      ['C: d', 'A:\xff', 'B: \xc3\xa4', '\tc', '', '\0\xff'],
    ],
  ])('%s', (_name, before, modifications, after) => {
    const changed = applyModifications(bytes(...before), modifications);
    expect(changed.toString('latin1').split('\r\n')).toEqual(after);
  });
});
