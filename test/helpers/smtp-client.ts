import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A reply of the server: its code and its whole text, lines joined by LF. */
export interface SmtpReply {
  readonly code: number;
  readonly text: string;
}

/** A raw SMTP conversation: every byte is the test's own. */
export interface SmtpClient {
  readonly greeting: SmtpReply;
  /** Sends one command line and returns its reply. Strings go out as UTF-8. */
  command(line: string): Promise<SmtpReply>;
  /** Sends bytes as they are; read their replies with `reply`. */
  write(bytes: Buffer | string): void;
  reply(): Promise<SmtpReply>;
  /** Ends the conversation without a QUIT. */
  destroy(): void;
  quit(): Promise<void>;
}

/** Connects and reads the greeting. */
export async function smtpConnect(port: number, deadline = 30_000): Promise<SmtpClient> {
  const socket = connect(port, '127.0.0.1');
  const lines = new Lines(socket, deadline);
  await once(socket, 'connect');
  const client = {
    write: (bytes: Buffer | string) => void socket.write(bytes),
    reply: () => readReply(lines),
    command: (line: string) => {
      socket.write(`${line}\r\n`);
      return readReply(lines);
    },
    destroy: () => void socket.destroy(),
    quit: async () => {
      await client.command('QUIT').catch(() => undefined);
      socket.destroy();
    },
  };
  return { ...client, greeting: await client.reply() };
}

export interface Envelope {
  readonly from?: string;
  readonly to?: string | readonly string[];
  /** Parameters of MAIL FROM, such as `SMTPUTF8 BODY=8BITMIME`. */
  readonly mailArgs?: string;
  /** An XCLIENT command before everything: `{ ADDR: '203.0.113.9', LOGIN: 'alice' }`. */
  readonly xclient?: Readonly<Record<string, string>>;
  readonly helo?: string;
}

/**
 * Sends one message in a session of its own.
 * @param message the raw message with CRLF line ends
 * @returns the first reply that is not what leads on to the next step, or the reply to the message's end
 */
export async function send(
  port: number,
  message: Buffer | string,
  envelope: Envelope = {},
): Promise<SmtpReply> {
  const client = await smtpConnect(port);
  try {
    if (client.greeting.code !== 220) return client.greeting;
    const helo = envelope.helo ?? 'sender.test';
    const hello = await client.command(`EHLO ${helo}`);
    if (hello.code !== 250) return hello;
    if (envelope.xclient !== undefined) {
      const pairs = Object.entries(envelope.xclient).map(([name, value]) => `${name}=${value}`);
      const greeting = await client.command(`XCLIENT ${pairs.join(' ')}`);
      if (greeting.code !== 220) return greeting;
      await client.command(`EHLO ${helo}`);
    }
    return await transaction(client, message, envelope);
  } finally {
    await client.quit();
  }
}

/** MAIL, RCPTs, DATA and the message, within a session that is open already. */
export async function transaction(
  client: SmtpClient,
  message: Buffer | string,
  envelope: Envelope = {},
): Promise<SmtpReply> {
  const args = envelope.mailArgs === undefined ? '' : ` ${envelope.mailArgs}`;
  const from = envelope.from ?? 'news@sender.test';
  const mail = await client.command(`MAIL FROM:<${from}>${args}`);
  if (mail.code !== 250) return mail;
  for (const to of [envelope.to ?? 'reader@example.net'].flat()) {
    const rcpt = await client.command(`RCPT TO:<${to}>`);
    if (rcpt.code !== 250) return rcpt;
  }
  const data = await client.command('DATA');
  if (data.code !== 354) return data;
  client.write(dotStuff(message));
  return client.reply();
}

/** Doubles dots at the beginnings of lines and adds the final one (RFC 5321 § 4.5.2). */
export function dotStuff(message: Buffer | string): Buffer {
  const text = Buffer.from(message).toString('latin1');
  const end = text.endsWith('\r\n') || text === '' ? '' : '\r\n';
  return Buffer.from(`${text.replace(/(^|\r\n)\./g, '$1..')}${end}.\r\n`, 'latin1');
}

async function readReply(lines: Lines): Promise<SmtpReply> {
  const texts: string[] = [];
  for (;;) {
    const line = await lines.next();
    texts.push(line.slice(4));
    if (line[3] !== '-') return { code: Number(line.slice(0, 3)), text: texts.join('\n') };
  }
}

/** The socket's input line by line; a lost connection or silence past the deadline is an error. */
class Lines {
  readonly #lines: string[] = [];
  readonly #deadline: number;
  #rest = '';
  #ended: Error | undefined;
  #wake: () => void = () => undefined;

  constructor(socket: Socket, deadline: number) {
    this.#deadline = deadline;
    socket.on('data', (chunk: Buffer) => {
      const parts = (this.#rest + chunk.toString('utf8')).split('\r\n');
      this.#rest = parts.pop() ?? '';
      this.#lines.push(...parts);
      this.#wake();
    });
    socket.on('error', (error) => this.#end(error));
    socket.on('close', () => this.#end(new Error('the server closed the connection')));
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.#wake();
  }

  async next(): Promise<string> {
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) return line;
      if (this.#ended !== undefined) throw this.#ended;
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`no SMTP reply within ${this.#deadline} ms`)),
          this.#deadline,
        );
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}
