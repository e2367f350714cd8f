import { type AddressInfo, connect } from 'node:net';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Logger } from '../../src/lib/logger.ts';
import type { MilterEvent } from '../../src/milter/options.ts';
import { createMilterServer } from '../../src/milter/server.ts';
import { logMilterEvent } from '../../src/service/mail-log.ts';

type Line = { level: number; msg: string } & Record<string, unknown>;
let lines: Line[];
let logger: Logger;

beforeEach(() => {
  lines = [];
  logger = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) });
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => vi.useRealTimers());

test('connections that do not speak milter are one short line per second, whatever they send', async () => {
  let closed = 0;
  const server = createMilterServer(
    { begin: () => undefined },
    {
      onEvent: (event) => logMilterEvent(logger, event),
    },
  );
  const { port } = (await server.listen({ host: '127.0.0.1', port: 0 })) as AddressInfo;
  const strangers = [
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n',
    '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c',
    '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03',
    'EHLO x.example\r\n',
    '\0\0\0\0',
    '\0\0\0\x01Z',
    '\0\0\0\x05O\0\0\0\x01',
    '',
  ];
  for (const sent of strangers) {
    await new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => socket.end(Buffer.from(sent, 'latin1')));
      socket.on('error', () => undefined).resume();
      socket.once('close', () => {
        closed++;
        resolve();
      });
    });
  }
  expect(closed).toBe(strangers.length);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({
    level: 40,
    msg: 'closed a connection that does not speak the milter protocol',
    reason: expect.stringMatching(/^milter: frame: length \d+: expected 1 to \d+$/),
  });
  expect(JSON.stringify(lines[0]).length).toBeLessThan(250);
  await server.close({ deadline: 0 });
});

test('each kind has its own line, and says how many were held back', () => {
  const connection = {
    id: 1,
    client: undefined,
    helo: undefined,
    actions: new Set<never>(),
    macro: () => undefined,
  };
  const error = new Error('milter: negotiate: version 1: expected 2 or later');
  const events: MilterEvent[] = [
    { type: 'protocol-error', connection, error, queueId: undefined },
    { type: 'timeout', connection, waitingFor: 'negotiation', queueId: undefined },
    { type: 'refused', maximum: 1000 },
    { type: 'listener-error', error: new Error('accept EMFILE') },
    { type: 'exception', connection, hook: 'mail', error, queueId: '4XyZ', answered: 'accept' },
  ];
  for (let second = 0; second < 3; second++) {
    for (let times = 0; times < 100; times++)
      for (const event of events) logMilterEvent(logger, event);
    vi.advanceTimersByTime(1000);
  }
  expect(lines).toHaveLength(3 * events.length);
  expect(lines.every((line) => line['err'] === undefined)).toBe(true);
  expect(lines.at(-1)).toMatchObject({
    msg: 'filter failed on this message; delivered unchanged',
    queueId: '4XyZ',
    hook: 'mail',
    reason: error.message,
    repeats: 99,
  });
});
