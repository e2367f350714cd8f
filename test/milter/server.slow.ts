import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  promises,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, connect as connectSocket, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  connectMilter,
  createMilterServer,
  type Filter,
  type MilterEvent,
  type MilterServer,
  type MilterServerOptions,
} from '../../src/milter/milter.ts';
import {
  connect,
  data,
  eob,
  eoh,
  helo,
  mail,
  optneg,
  packet,
  packets,
  quit,
  quitNewConnection,
  rcpt,
  show,
} from '../helpers/milter-wire.ts';
import { poll } from '../helpers/poll.ts';

const dir = mkdtempSync(join(tmpdir(), 'clickmilter-server-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const open: MilterServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close({ deadline: 0 });
});

const nothing: Filter = { begin: () => undefined, mail: () => undefined };
const message = Buffer.from('Subject: hello\r\n\r\ntext\r\n');
const toTheEnd = [optneg(), connect(), helo(), mail(), rcpt(), data(), eoh(), eob()];

async function serve<State>(
  filter: Filter<State>,
  options: MilterServerOptions = {},
): Promise<{ server: MilterServer; port: number; events: MilterEvent[] }> {
  const events: MilterEvent[] = [];
  const server = createMilterServer(filter, { onEvent: (event) => events.push(event), ...options });
  open.push(server);
  const address = await server.listen({ host: '127.0.0.1', port: 0 });
  return { server, port: (address as AddressInfo).port, events };
}

/** A peer that writes what it is told to, and what it has read so far. */
class Peer {
  readonly socket: Socket;
  #read: Buffer[] = [];
  closed = false;

  constructor(port: number) {
    this.socket = connectSocket(port, '127.0.0.1');
    this.socket.on('data', (chunk) => this.#read.push(chunk));
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
    });
  }

  write(...sent: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(sent));
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#read);
  }

  get answers(): string[] {
    return packets(this.bytes).packets.map(show);
  }

  async answered(count: number): Promise<string[]> {
    await poll(`${count} answers`, () => this.answers.length >= count);
    return this.answers;
  }
}

describe('unix sockets', () => {
  test('are made with mode 0660, or the one asked for, and removed at the end', async () => {
    for (const [mode, expected] of [
      [undefined, 0o660],
      [0o600, 0o600],
      [0o666, 0o666],
    ] as const) {
      const path = join(dir, 'mode.sock');
      const server = createMilterServer(nothing);
      const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()];
      // Only root may give a file away.
      const owner = uid === 0 ? { uid: 65_534, gid: 65_533 } : { uid, gid };
      await server.listen({ path, owner, ...(mode === undefined ? {} : { mode }) });
      expect(statSync(path).mode & 0o777).toBe(expected);
      expect(statSync(path)).toMatchObject(owner);
      const client = await connectMilter({ path });
      expect((await client.send({ message })).answer).toBe('continue');
      await client.quit();
      await server.close();
      expect(existsSync(path)).toBe(false);
    }
  });

  test('are open to nobody before they have their mode', async () => {
    const before: number[] = [];
    const chmod = vi.spyOn(promises, 'chmod').mockImplementation(async (path, mode) => {
      before.push(statSync(path).mode & 0o777);
      chmodSync(path, mode);
    });
    onTestFinished(() => chmod.mockRestore());
    const server = createMilterServer(nothing);
    open.push(server);
    await server.listen({ path: join(dir, 'secret.sock') });
    expect(before).toEqual([0]);
  });

  test('a stale one is replaced', async () => {
    const path = join(dir, 'stale.sock');
    const dead = createServer();
    await new Promise<void>((resolve) => dead.listen(path, resolve));
    // Closing would remove the file: a link keeps it, as a crash would.
    linkSync(path, `${path}.left`);
    await new Promise((resolve) => dead.close(resolve));
    expect(lstatSync(`${path}.left`).isSocket()).toBe(true);
    const server = createMilterServer(nothing);
    open.push(server);
    await server.listen({ path: `${path}.left` });
    const client = await connectMilter({ path: `${path}.left` });
    await client.quit();
  });

  test('a living one is not stolen', async () => {
    const path = join(dir, 'alive.sock');
    const first = createMilterServer(nothing);
    open.push(first);
    await first.listen({ path });
    const second = createMilterServer(nothing);
    await expect(second.listen({ path })).rejects.toThrow(
      `milter: listen: ${path}: another process listens there: expected a free path or a stale socket`,
    );
    const client = await connectMilter({ path });
    await client.quit();
  });

  test('a file that is not a socket is never removed', async () => {
    const path = join(dir, 'precious');
    writeFileSync(path, 'mail');
    await expect(createMilterServer(nothing).listen({ path })).rejects.toThrow(
      `milter: listen: ${path} exists and is not a socket: expected a free path`,
    );
    expect(existsSync(path)).toBe(true);
  });

  test('a folder that does not exist is said', async () => {
    const path = join(dir, 'no', 'where.sock');
    await expect(createMilterServer(nothing).listen({ path })).rejects.toThrow(
      /where\.sock: ENOENT: .*: expected an existing folder$/,
    );
  });
});

describe('other sockets', () => {
  test('several listeners at once, one of them inherited as a net.Server', async () => {
    const { server, port } = await serve(nothing);
    const inherited = createServer();
    await new Promise<void>((resolve) => inherited.listen(0, '127.0.0.1', resolve));
    const other = (await server.listen(inherited)) as AddressInfo;
    expect(other.port).toBe((inherited.address() as AddressInfo).port);
    const clients = [await connectMilter({ port }), await connectMilter({ port: other.port })];
    expect(server.connections).toBe(2);
    for (const client of clients) await client.quit();
    await poll('no connections', () => server.connections === 0);
    await server.close();
    expect(inherited.listening).toBe(false);
  });

  test('a file descriptor, as systemd passes it', async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
    const { port } = holder.address() as AddressInfo;
    const { fd } = (holder as unknown as { _handle: { fd: number } })._handle;
    const program = join(import.meta.dirname, 'inherited-server.ts');
    const child = spawn(process.execPath, ['--import', 'tsx', program], {
      stdio: ['ignore', 'inherit', 'inherit', fd],
    });
    onTestFinished(() => void child.kill());
    // From here on only the child holds it.
    await new Promise((resolve) => holder.close(resolve));
    const client = await connectMilter({ port });
    expect((await client.send({ message })).answer).toBe('continue');
    await client.quit();
  });

  test('a port in use is said', async () => {
    const { port } = await serve(nothing);
    const second = createMilterServer(nothing);
    await expect(second.listen({ host: '127.0.0.1', port })).rejects.toThrow(/EADDRINUSE/);
  });
});

describe('a graceful end', () => {
  test('lets SMTP sessions go on until QUIT, takes no new ones, and cuts nothing off', async () => {
    const { server, port } = await serve(nothing);
    const client = await connectMilter({ port });
    await client.send({ message });
    const closed = server.close();
    await expect(connectMilter({ port })).rejects.toThrow(/ECONNREFUSED/);
    expect((await client.send({ message })).answer).toBe('continue');
    expect((await client.send({ message })).answer).toBe('continue');
    await client.quit();
    expect(await closed).toEqual([]);
    expect(server.connections).toBe(0);
    await expect(server.listen({ port: 0 })).rejects.toThrow(
      'milter: listen: the server is closed',
    );
  });

  test('ends a connection that waits between two sessions at once', async () => {
    const { server, port } = await serve(nothing);
    const peer = new Peer(port);
    peer.write(...toTheEnd, quitNewConnection());
    await peer.answered(5);
    expect(await server.close({ deadline: 60_000 })).toEqual([]);
    await poll('the end', () => peer.closed);
  });

  test('ends a session that becomes such a one later', async () => {
    const { server, port } = await serve(nothing);
    const peer = new Peer(port);
    peer.write(...toTheEnd);
    await peer.answered(5);
    const closed = server.close({ deadline: 60_000 });
    peer.write(mail(), quitNewConnection());
    expect(await closed).toEqual([]);
  });

  test('tells after the deadline what it has cut off', async () => {
    const { server, port } = await serve({ ...nothing, rcpt: () => undefined });
    const peer = new Peer(port);
    peer.write(optneg(), connect(), helo(), mail(), packet('D', 'Ri\0QUEUE-ID\0'), rcpt());
    await peer.answered(3);
    const cutOff = await server.close({ deadline: 50 });
    expect(cutOff).toMatchObject([{ queueId: 'QUEUE-ID', inMessage: true }]);
    await poll('the end', () => peer.closed);
    await poll('no connections', () => server.connections === 0);
  });

  test('waits for a hook at work, whose message is then answered', async () => {
    let go = () => {};
    const { server, port } = await serve({
      begin: () => undefined,
      endOfMessage: () =>
        new Promise<void>((resolve) => {
          go = resolve;
        }),
    });
    const client = await connectMilter({ port });
    const sent = client.send({ message });
    await poll('the hook', () => server.connections === 1 && go.length === 1);
    const closed = server.close({ deadline: 60_000 });
    go();
    expect((await sent).answer).toBe('continue');
    await client.quit();
    expect(await closed).toEqual([]);
  });
});

describe('limits and time-outs', () => {
  test('connections over the limit are closed at once, which is said', async () => {
    const { server, port, events } = await serve(nothing, { limits: { connections: 1 } });
    const first = await connectMilter({ port });
    await expect(connectMilter({ port })).rejects.toThrow();
    expect(events).toEqual([{ type: 'refused', maximum: 1 }]);
    await first.quit();
    await poll('room again', () => server.connections === 0);
    await (await connectMilter({ port })).quit();
  });

  test.each([
    ['negotiation', [], {}],
    ['negotiation', [optneg().subarray(0, 7)], {}],
    ['command', [optneg(), connect()], { negotiation: 60_000 }],
  ] as const)(
    'no %s for too long closes the connection, which is said',
    async (waitingFor, sent, longer) => {
      const timeouts = { negotiation: 30, idle: 30, ...longer };
      const { server, port, events } = await serve(nothing, { timeouts });
      const peer = new Peer(port);
      peer.write(...sent);
      await poll('the end', () => peer.closed);
      expect(events).toMatchObject([{ type: 'timeout', waitingFor }]);
      await poll('no connections', () => server.connections === 0);
    },
  );

  test('a byte now and then does not put the end of an unfinished negotiation off', async () => {
    const { port, events } = await serve(nothing, { timeouts: { negotiation: 200, idle: 30 } });
    const peer = new Peer(port);
    const start = performance.now();
    for (const byte of optneg().subarray(0, -1)) {
      peer.write(Buffer.of(byte));
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (peer.closed) break;
    }
    expect(peer.closed).toBe(true);
    expect(performance.now() - start).toBeGreaterThan(150);
    expect(events).toMatchObject([{ type: 'timeout', waitingFor: 'negotiation' }]);
  });

  test('a hook may take longer than an MTA may be idle', async () => {
    const { port, events } = await serve(
      {
        begin: () => undefined,
        mail: () => new Promise<void>((resolve) => setTimeout(resolve, 200)),
      },
      { timeouts: { idle: 40 } },
    );
    const peer = new Peer(port);
    peer.write(...toTheEnd);
    expect((await peer.answered(8)).slice(1)).toEqual(Array(7).fill('c'));
    await poll('the time-out after it', () => peer.closed);
    expect(events).toMatchObject([{ type: 'timeout', waitingFor: 'command' }]);
  });

  test('an MTA that does not read is given up, and is not read from meanwhile', async () => {
    const size = 1 << 20;
    const handled: number[] = [];
    const { server, port, events } = await serve(
      {
        begin: () => undefined,
        actions: ['changeBody'],
        endOfMessage: (over) => {
          handled.push(handled.length);
          over.replaceBody(Buffer.alloc(size));
        },
      },
      { timeouts: { write: 300 } },
    );
    const socket = connectSocket(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.pause();
    const messages = Array.from({ length: 2000 }, () => [mail(), eoh(), eob()]).flat();
    socket.write(Buffer.concat([optneg(6, 0x1ff, 0x1fffff), connect(), helo(), ...messages]));
    await poll('the time-out', () => events.some(({ type }) => type === 'timeout'));
    expect(events).toMatchObject([{ type: 'timeout', waitingFor: 'write' }]);
    expect(handled.length).toBeLessThan(100);
    socket.destroy();
    await poll('no connections', () => server.connections === 0);
  });

  test('what waits for an MTA that does not read stays as it is while others are answered', async () => {
    const messages = 400;
    const handled: string[] = [];
    const { port } = await serve<{ letter: string }>({
      begin: () => ({ letter: '' }),
      actions: ['changeBody'],
      mail: ({ state }, { address }) => {
        state.letter = address.charAt(0);
      },
      endOfMessage: (over) => {
        handled.push(over.state.letter);
        over.replaceBody(Buffer.alloc(60_000, over.state.letter));
      },
    });
    const opening = [optneg(6, 0x1ff, 0x1fffff), connect(), helo()];
    const sent = (letter: string, count: number) =>
      Array.from({ length: count }, () => [mail(`${letter}@x.example`), eoh(), eob()]).flat();
    const bodies = (peer: Peer) =>
      packets(peer.bytes).packets.filter(({ letter }) => letter === 'b');
    const [slow, other] = [new Peer(port), new Peer(port)];
    slow.socket.pause();
    slow.write(...opening, ...sent('s', messages));
    let seen = 0;
    await poll('the slow one to be waited for', async () => {
      await sleep(50);
      const isWaited = handled.length > 0 && handled.length === seen;
      seen = handled.length;
      return isWaited;
    });
    expect(handled.length).toBeLessThan(messages);
    other.write(...opening, ...sent('o', 20));
    await poll('the other one', () => bodies(other).length === 20);
    slow.socket.resume();
    await poll('the slow one', () => bodies(slow).length === messages);
    for (const [peer, letter] of [
      [slow, 's'],
      [other, 'o'],
    ] as const) {
      const body = Buffer.alloc(60_000, letter);
      expect(bodies(peer).every(({ data: bytes }) => body.equals(bytes))).toBe(true);
    }
    slow.socket.destroy();
    other.socket.destroy();
  });

  test('what an MTA sends ahead of a running hook is bounded', async () => {
    let go = () => {};
    const { server, port } = await serve({
      begin: () => undefined,
      mail: () =>
        new Promise<void>((resolve) => {
          go = resolve;
        }),
    });
    const socket = connectSocket(port, '127.0.0.1');
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('connect', resolve));
    socket.write(Buffer.concat([optneg(), connect(), mail()]));
    const flood = Buffer.alloc(1 << 20);
    let stalled = false;
    for (let n = 0; n < 64 && !stalled; n++) {
      stalled = !(await new Promise<boolean>((resolve) => {
        const timer = setTimeout(resolve, 200, false);
        socket.write(flood, () => {
          clearTimeout(timer);
          resolve(true);
        });
      }));
    }
    expect(stalled).toBe(true);
    socket.destroy();
    go();
    await poll('no connections', () => server.connections === 0);
  });

  test('PROGRESS keeps the MTA patient while the end of a message is worked on', async () => {
    const { port } = await serve(
      {
        begin: () => undefined,
        // In steps: however late timers are, one step is time enough for one PROGRESS.
        async endOfMessage() {
          for (let step = 0; step < 5; step++) await sleep(20);
        },
      },
      { timeouts: { progress: 10 } },
    );
    const client = await connectMilter({ port });
    const result = await client.send({ message });
    expect(result.answer).toBe('continue');
    expect(result.progress).toBeGreaterThan(1);
    await client.quit();
  });
});

describe('an MTA that goes away', () => {
  test.each(['end', 'reset'])(
    'by %s, while a hook runs: it is told, and all is cleaned up once',
    async (way) => {
      const calls: string[] = [];
      let running = false;
      const { server, port, events } = await serve({
        begin: () => undefined,
        endOfMessage: ({ signal }) => {
          running = true;
          return new Promise<void>((resolve) => {
            signal.addEventListener('abort', () => {
              calls.push('signal');
              resolve();
            });
          });
        },
        abort: (_message, reason) => void calls.push(`abort ${reason}`),
        close: () => void calls.push('close'),
      });
      const peer = new Peer(port);
      peer.write(...toTheEnd);
      await poll('the hook', () => running);
      if (way === 'end') peer.socket.destroy();
      else peer.socket.resetAndDestroy();
      await poll('no connections', () => server.connections === 0);
      expect(calls).toEqual(['signal', 'abort disconnected', 'close']);
      expect(events).toMatchObject([{ type: 'disconnected' }]);
    },
  );

  test('is said once, also where the hook goes on regardless', async () => {
    let go = () => {};
    let running = false;
    const { server, port, events } = await serve({
      begin: () => undefined,
      mail: () => {
        running = true;
        return new Promise<void>((resolve) => {
          go = resolve;
        });
      },
    });
    const peer = new Peer(port);
    peer.write(...toTheEnd);
    await poll('the hook', () => running);
    peer.socket.destroy();
    await poll('the event', () => events.length > 0);
    expect(server.connections).toBe(1);
    go();
    await poll('no connections', () => server.connections === 0);
    expect(events).toMatchObject([{ type: 'disconnected' }]);
  });

  test('outside a message is nothing to be told', async () => {
    const { server, port, events } = await serve(nothing);
    const peer = new Peer(port);
    peer.write(optneg(), connect(), helo());
    await peer.answered(1);
    peer.socket.destroy();
    await poll('no connections', () => server.connections === 0);
    expect(events).toEqual([]);
  });

  test('a peer that speaks something else is told nothing, and the operator is', async () => {
    const { server, port, events } = await serve(nothing);
    const peer = new Peer(port);
    peer.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    await poll('the end', () => peer.closed);
    expect(peer.answers).toEqual([]);
    expect(events).toMatchObject([
      {
        type: 'protocol-error',
        error: { message: 'milter: frame: length 1195725856: expected 1 to 65536' },
      },
    ]);
    await poll('no connections', () => server.connections === 0);
  });

  test('an event handler that throws harms no mail', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    onTestFinished(() => warn.mockRestore());
    const filter: Filter = {
      begin: () => undefined,
      endOfMessage: async () => {
        throw new Error('boom');
      },
    };
    const { port } = await serve(filter, {
      onException: 'accept',
      onEvent: () => {
        throw new Error('disk full');
      },
    });
    const client = await connectMilter({ port });
    expect((await client.send({ message })).answer).toBe('accept');
    await client.quit();
    expect(warn).toHaveBeenCalledWith(new Error('disk full'));
  });

  test('a connection that is not closed after QUIT is closed by the server', async () => {
    const { server, port } = await serve(nothing);
    const socket = connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true });
    const ended = new Promise((resolve) => socket.once('end', resolve));
    socket.write(Buffer.concat([...toTheEnd, quit()]));
    socket.resume();
    await ended;
    await poll('no connections', () => server.connections === 0);
    socket.destroy();
  });
});
