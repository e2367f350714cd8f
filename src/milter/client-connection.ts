import type { Socket } from 'node:net';
import type { MacroStage } from './client-replies.ts';
import type { ConnectInfo } from './filter.ts';
import { FrameReader, frame } from './frame.ts';
import { command } from './protocol.ts';

/**
 * Macros to send, by stage: `{ connect: { '{client_addr}': '192.0.2.1' }, rcpt: { i: '4F…' } }`.
 */
export type Macros = {
  readonly [stage in MacroStage]?: Readonly<Record<string, string>>;
};

/** The letter by which SMFIC_MACRO names the command that the macros belong to. */
const STAGE_LETTERS: Readonly<Record<MacroStage, string>> = {
  connect: 'C',
  helo: 'H',
  mail: 'M',
  rcpt: 'R',
  data: 'T',
  endOfHeaders: 'N',
  endOfMessage: 'E',
};

/** SMFIC_CONNECT. */
export function encodeConnect({ hostname, family, address = '', port = 0 }: ConnectInfo): Buffer {
  if (family === 'unknown') return frame(command.connect, `${hostname}\0U`);
  const letter = { inet: '4', inet6: '6', unix: 'L' }[family];
  const bytes = String.fromCharCode(port >> 8, port & 255);
  const prefix = family === 'inet6' ? 'IPv6:' : '';
  return frame(command.connect, `${hostname}\0${letter}${bytes}${prefix}${address}\0`);
}

/** SMFIC_MAIL or SMFIC_RCPT. */
export function encodeEnvelope(
  letter: number,
  address: string,
  args: readonly string[] = [],
): Buffer {
  return frame(letter, `${[address, ...args].join('\0')}\0`);
}

/** The client's socket. Commands are queued until a reply is needed, and then sent together. */
export class ClientConnection {
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  #out: Buffer[] = [];
  #waiter: { resolve(): void; reject(error: Error): void } | undefined;
  #error: Error | undefined;
  #isEnding = false;

  /** @param timeout milliseconds to wait for a reply */
  constructor(socket: Socket, timeout: number) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setTimeout(timeout);
    socket.on('data', (chunk: Buffer) => {
      this.#reader.push(chunk);
      this.#waiter?.resolve();
    });
    socket.on('timeout', () => {
      if (this.#waiter === undefined && !this.#isEnding) return;
      socket.destroy(new Error(`milter client: no reply within ${timeout} ms`));
    });
    socket.on('error', (error) => this.#lost(error));
    socket.on('close', () => {
      this.#lost(new Error('milter client: the milter closed the connection'));
    });
  }

  queue(...frames: readonly Buffer[]): void {
    this.#out.push(...frames);
  }

  /** Queues a command after its macros. Postfix sends a macro packet even if it is empty. */
  queueCommand(stage: MacroStage, macros: Macros | undefined, ...frames: readonly Buffer[]): void {
    let text = STAGE_LETTERS[stage];
    for (const [name, value] of Object.entries(macros?.[stage] ?? {})) {
      text += `${name}\0${value}\0`;
    }
    this.queue(frame(command.macro, text), ...frames);
  }

  flush(): void {
    const out = this.#out;
    this.#out = [];
    this.#socket.cork();
    for (const buffer of out) this.#socket.write(buffer);
    this.#socket.uncork();
  }

  /** Sends the queue and waits for the next frame, which is valid until the next call. */
  async nextFrame(): Promise<{ readonly command: number; readonly payload: Buffer }> {
    this.flush();
    while (!this.#reader.next()) {
      if (this.#error !== undefined) throw this.#error;
      await new Promise<void>((resolve, reject) => {
        this.#waiter = { resolve, reject };
      });
      this.#waiter = undefined;
    }
    return this.#reader;
  }

  /** Sends the queue and closes. Resolves when the milter has closed too, or after the timeout. */
  async end(): Promise<void> {
    if (this.#socket.destroyed) return;
    const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
    this.#isEnding = true;
    this.flush();
    this.#socket.end();
    await closed;
  }

  destroy(): void {
    // A unix socket knows no reset. Closing it with unread replies has the same effect.
    if (this.#socket.remoteFamily === undefined) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  #lost(error: Error): void {
    this.#error ??= error;
    this.#waiter?.reject(this.#error);
  }
}
