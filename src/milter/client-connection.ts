import type { Socket } from 'node:net';
import { FrameReader } from './frame.ts';

/** Larger buffers are written as they are, smaller ones put together. */
const COPY_UP_TO = 4096;

/** The client's socket: commands are gathered until an answer is needed, and go out together. */
export class ClientConnection {
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  #out: Buffer[] = [];
  #waiter: { resolve(): void; reject(error: Error): void } | undefined;
  #error: Error | undefined;
  #ending = false;

  constructor(socket: Socket, timeout: number) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setTimeout(timeout);
    socket.on('data', (chunk: Buffer) => {
      this.#reader.push(chunk);
      this.#waiter?.resolve();
    });
    socket.on('timeout', () => {
      if (this.#waiter === undefined && !this.#ending) return;
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

  flush(): void {
    const out = this.#out;
    if (out.length === 0) return;
    this.#out = [];
    const socket = this.#socket;
    socket.cork();
    let small: Buffer[] = [];
    for (const buffer of out) {
      if (buffer.length <= COPY_UP_TO) small.push(buffer);
      else {
        socket.write(Buffer.concat(small));
        socket.write(buffer);
        small = [];
      }
    }
    socket.write(Buffer.concat(small));
    socket.uncork();
  }

  /** Sends what is queued and waits for the next frame; its fields are valid until the next call. */
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

  /** Sends what is queued and closes; resolves when the milter has closed too, or let the time-out pass. */
  async end(): Promise<void> {
    if (this.#socket.destroyed) return;
    const closed = new Promise<void>((resolve) => this.#socket.once('close', () => resolve()));
    this.#ending = true;
    this.flush();
    this.#socket.end();
    await closed;
  }

  destroy(): void {
    // There is no reset on a unix socket: closing it with answers unread comes to the same.
    if (this.#socket.remoteFamily === undefined) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }

  #lost(error: Error): void {
    this.#error ??= error;
    this.#waiter?.reject(this.#error);
  }
}
