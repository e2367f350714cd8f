import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  connectMilter,
  createMilterServer,
  type Filter,
  type MilterClient,
  type MilterEvent,
} from '../../src/milter/milter.ts';
import { packet } from './milter-wire.ts';
import { poll } from './poll.ts';

export interface SoakResult {
  readonly messages: number;
  /** How messages and connections ended, by kind. */
  readonly ends: Readonly<Record<string, number>>;
  readonly events: Readonly<Partial<Record<MilterEvent['type'], number>>>;
  /** What is left when all is over; everything here should be 0. */
  readonly left: {
    readonly connections: number;
    readonly messages: number;
    readonly sessions: number;
    readonly timersAndSockets: number;
  };
  /** Bytes of heap, after collection: when a tenth of the messages was through, and at the end. */
  readonly heap: { readonly before: number; readonly after: number };
}

/** Plays so many messages over so many connections at a time, many of which end badly. */
export async function soak(messages: number, connections: number): Promise<SoakResult> {
  const dir = mkdtempSync(join(tmpdir(), 'clickmilter-soak-'));
  const path = join(dir, 'milter.sock');
  const resources = countResources();
  const open = { messages: 0, sessions: 0 };
  const events: Partial<Record<MilterEvent['type'], number>> = {};
  const server = createMilterServer(busyFilter(open), {
    timeouts: { progress: 5, idle: 5_000 },
    onEvent: ({ type }) => {
      events[type] = (events[type] ?? 0) + 1;
    },
  });
  await server.listen({ path });
  const tcp = (await server.listen({ host: '127.0.0.1', port: 0 })) as AddressInfo;
  const where = () => (Math.random() < 0.5 ? { path } : { port: tcp.port });

  const ends: Record<string, number> = {};
  let left = messages;
  const take = () => left-- > 0;
  const play = async (few: number) => {
    let mine = few;
    await Promise.all(
      Array.from({ length: connections }, async () => {
        while (mine-- > 0 && take()) {
          const end = await playOne(where());
          ends[end] = (ends[end] ?? 0) + 1;
        }
      }),
    );
  };
  await play(Math.ceil(messages / 10));
  await poll('the first connections to go', () => server.connections === 0);
  const before = await heapUsed();
  await play(messages);
  await poll('all connections to go', () => server.connections === 0);
  const after = await heapUsed();
  await server.close();
  rmSync(dir, { recursive: true });
  await poll('timers and sockets to go', () => countResources() <= resources, 15_000).catch(
    () => {},
  );
  return {
    messages,
    ends,
    events,
    left: {
      connections: server.connections,
      ...open,
      timersAndSockets: Math.max(0, countResources() - resources),
    },
    heap: { before, after },
  };
}

/** Keeps every chunk, works now and then for a while, and counts what it has been given and not been rid of. */
function busyFilter(open: {
  messages: number;
  sessions: number;
}): Filter<{ chunks: Buffer[]; done: boolean }> {
  const finish = (state: { done: boolean }) => {
    if (!state.done) open.messages--;
    state.done = true;
  };
  return {
    actions: ['addHeaders', 'changeHeaders', 'changeBody'],
    silent: ['header'],
    connect: () => {
      open.sessions++;
    },
    begin: () => {
      open.messages++;
      return { chunks: [], done: false };
    },
    header: () => undefined,
    body: ({ state }, chunk) => {
      state.chunks.push(chunk);
      return undefined;
    },
    endOfMessage: async (message) => {
      const { state, signal } = message;
      if (Math.random() < 0.3) await sleep(Math.random() * 15, undefined, { signal });
      if (Math.random() < 0.01) throw new Error('a bug in the filter');
      message.changeHeader('Subject', 1, 'changed');
      message.addHeader('X-Soak', 'yes');
      message.replaceBody([...state.chunks, Buffer.from('more\r\n')]);
      finish(state);
    },
    abort: ({ state }) => finish(state),
    close: () => {
      open.sessions--;
    },
  };
}

const SMALL = Buffer.from('Subject: hello\r\nX: y\r\n\r\ntext\r\n');
const LARGE = Buffer.concat([SMALL, Buffer.alloc(200_000, 'more text\r\n')]);

type Where = { readonly path: string } | { readonly port: number };

/** One message and how it ended. */
async function playOne(where: Where): Promise<string> {
  const kind = Math.random();
  if (kind < 0.05) return halfAFrame(where);
  const client = await connectMilter(where);
  const message = Math.random() < 0.1 ? LARGE : SMALL;
  const bodyChunk = 1 + Math.floor(Math.random() * 65_535);
  if (kind < 0.15) return reset(client, message);
  if (kind < 0.25) {
    await client.open();
    client.abort();
    client.quitSession();
  }
  const { answer } = await client.send({ message, bodyChunk });
  await client.quit();
  return typeof answer === 'string' ? answer : 'reply';
}

/** Goes away while the message is on its way, or its answer. */
async function reset(client: MilterClient, message: Buffer): Promise<string> {
  await client.open();
  const sent = client.send({ message }).then(
    () => 'reset too late',
    () => 'reset',
  );
  await sleep(Math.random() * 5);
  client.destroy();
  return sent;
}

async function halfAFrame(where: Where): Promise<string> {
  const socket = createConnection(where);
  socket.on('error', () => {});
  const bytes = packet('O', Buffer.alloc(12, 6));
  socket.write(bytes.subarray(0, Math.floor(Math.random() * bytes.length)));
  await sleep(Math.random() * 3);
  socket.destroy();
  return 'half a frame';
}

function countResources(): number {
  return process.getActiveResourcesInfo().filter((type) => /Timeout|Pipe|TCP|Immediate/.test(type))
    .length;
}

async function heapUsed(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  for (let n = 0; n < 4; n++) {
    collect();
    await sleep(20);
  }
  const { heapUsed: heap, arrayBuffers } = process.memoryUsage();
  return heap + arrayBuffers;
}
