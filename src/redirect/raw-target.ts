import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { ConnectionError } from './not-http.ts';

/** A whole head of a request without body, whose target holds bytes beyond ASCII. */
const HEAD = /^((?:GET|HEAD) )([\x21-\xff]+)( HTTP\/1\.[01]\r\n[\s\S]*\r\n\r\n)$/;

/**
 * Some clients send the letters and quotation marks behind a link as they are; Node's parser takes only ASCII in a request target.
 * @returns the request with these bytes percent-encoded; undefined where that is not what is wrong with it
 */
export function withEncodedTarget({ code, rawPacket }: ConnectionError): Buffer | undefined {
  if (code !== 'HPE_INVALID_URL' || rawPacket === undefined) return undefined;
  const [, method = '', target = '', rest = ''] = HEAD.exec(rawPacket.toString('latin1')) ?? [];
  if (target === '' || /\x7f/.test(target)) return undefined;
  const encoded = target.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`);
  return encoded === target ? undefined : Buffer.from(method + encoded + rest, 'latin1');
}

/** A connection on which that request comes, and nothing more; what is answered goes to the socket. */
export class SecondReading extends Duplex {
  readonly #socket: Socket;
  #request: Buffer | undefined;

  constructor(socket: Socket, request: Buffer) {
    super();
    this.#socket = socket;
    this.#request = request;
    socket.once('close', () => this.destroy());
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  override _read(): void {
    if (this.#request !== undefined) this.push(this.#request);
    this.#request = undefined;
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, done: (error?: Error | null) => void) {
    this.#socket.write(chunk, encoding, done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
