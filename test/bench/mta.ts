import { connect, type Socket } from 'node:net';
import { frame, type Recording, Script, STAGES, type Step, strings } from './recording.ts';

/*
 * The MTA's side, made for load: messages are encoded once and replayed, and of the replies only the command bytes
 * are read, so that the generator is never what is measured. Talks as Postfix does (the macros, an abort after
 * every message), with everything that needs no reply in one write with what does.
 */

const VERSION = 6;
const ALL_ACTIONS = 0x1ff;
const ALL_PROTOCOL = 0x1fffff;

export interface Sent {
  readonly messages: number;
  /** Messages whose body the milter let come. */
  readonly bodies: number;
  /** Messages whose body the milter replaced. */
  readonly replaced: number;
  readonly seconds: number;
}

/** Some SMTP sessions at once, each over a milter connection of its own. */
export class Mta {
  readonly #sessions: readonly Session[];

  private constructor(sessions: readonly Session[]) {
    this.#sessions = sessions;
  }

  /** Connects, negotiates and says helo. */
  static async open(path: string, sessions: number, client = '198.51.100.7'): Promise<Mta> {
    return new Mta(
      await Promise.all(Array.from({ length: sessions }, () => Session.open(path, client))),
    );
  }

  /** Sends the recordings in turn, on every session, until the time is over or so many messages were sent. */
  async send(
    recordings: readonly Recording[],
    until: { readonly seconds?: number; readonly messages?: number },
  ): Promise<Sent> {
    const start = performance.now();
    const deadline = start + (until.seconds ?? Number.POSITIVE_INFINITY) * 1000;
    const sent = { messages: 0, bodies: 0, replaced: 0 };
    let next = 0;
    await Promise.all(
      this.#sessions.map(async (session) => {
        while (
          next < (until.messages ?? Number.POSITIVE_INFINITY) &&
          performance.now() < deadline
        ) {
          const recording = recordings[next++ % recordings.length];
          if (recording === undefined) throw new Error('no message to send');
          const outcome = await session.play(recording.steps(session.protocol));
          sent.messages++;
          if (outcome.body) sent.bodies++;
          if (outcome.replaced) sent.replaced++;
        }
      }),
    );
    return { ...sent, seconds: (performance.now() - start) / 1000 };
  }

  /** Leaves every session in the middle of that message: its body is sent, its end is not. */
  async sendAllButTheEnd(recording: Recording): Promise<void> {
    await Promise.all(
      this.#sessions.map((session) => session.play(recording.steps(session.protocol).slice(0, -1))),
    );
  }

  close(): void {
    for (const session of this.#sessions) session.close();
  }
}

class Session {
  protocol = 0;
  readonly #socket: Socket;
  readonly #replies: Replies;

  private constructor(socket: Socket, replies: Replies) {
    this.#socket = socket;
    this.#replies = replies;
  }

  static async open(path: string, client: string): Promise<Session> {
    const socket = connect(path);
    const session = new Session(socket, new Replies(socket));
    const offer = Buffer.alloc(12);
    [VERSION, ALL_ACTIONS, ALL_PROTOCOL].forEach((word, i) => {
      offer.writeUInt32BE(word, i * 4);
    });
    socket.write(frame('O', offer));
    const { command } = await session.#replies.next();
    if (command !== 'O') throw new Error(`milter at ${path} answered ${command} to OPTNEG`);
    session.protocol = session.#replies.protocol;

    const script = new Script(session.protocol);
    const port = Buffer.from([0xc0, 0x00]);
    const address = [strings('client.example'), Buffer.from('4'), port, strings(client)];
    script.stage(STAGES.connect, Buffer.concat(address), {
      j: 'mta.example',
      '{daemon_name}': 'mta',
      '{daemon_addr}': '127.0.0.1',
      '{daemon_port}': '25',
      '{client_addr}': client,
    });
    script.stage(STAGES.helo, strings('client.example'), {});
    await session.play(script.steps);
    socket.write(script.rest);
    return session;
  }

  /** Goes through one message, to its end or to where the milter has seen enough. */
  async play(steps: readonly Step[]): Promise<{ body: boolean; replaced: boolean }> {
    let body = false;
    let replaced = false;
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i] as Step;
      body ||= 'BE'.includes(step.command);
      this.#socket.write(step.bytes);
      const reply = await this.#replies.next();
      replaced = reply.replacedBody;
      if (reply.command === 'a') break;
      if (reply.command === 's') i = steps.length - 2;
      else if (reply.command !== 'c') {
        throw new Error(`the milter answered ${reply.command} to ${step.command}`);
      }
    }
    return { body, replaced };
  }

  close(): void {
    this.#socket.end(frame('Q'));
  }
}

interface Reply {
  readonly command: string;
  readonly replacedBody: boolean;
}

/** Reads the final replies and jumps over everything else. */
class Replies {
  /** The third word of the O reply. */
  protocol = 0;
  readonly #head = Buffer.alloc(5 + 12);
  #headLength = 0;
  #toSkip = 0;
  #replacedBody = false;
  #waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void } | undefined;

  constructor(socket: Socket) {
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', (error) => this.#waiting?.reject(error));
    socket.on('close', () => this.#waiting?.reject(new Error('the milter closed the connection')));
  }

  next(): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  #read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const jump = Math.min(this.#toSkip, chunk.length - at);
      at += jump;
      this.#toSkip -= jump;
      while (this.#toSkip === 0 && at < chunk.length) {
        this.#head[this.#headLength++] = chunk[at++] as number;
        if (this.#headComplete()) this.#frame();
      }
    }
  }

  #headComplete(): boolean {
    const isOptneg = this.#head[4] === 0x4f;
    return this.#headLength >= (this.#headLength >= 5 && isOptneg ? 17 : 5);
  }

  #frame(): void {
    const command = String.fromCharCode(this.#head[4] as number);
    this.#toSkip = this.#head.readUInt32BE(0) + 4 - this.#headLength;
    if (command === 'O') this.protocol = this.#head.readUInt32BE(13);
    this.#headLength = 0;
    if (command === 'b') this.#replacedBody = true;
    if ('+2-ehimbqp'.includes(command)) return;
    const replacedBody = this.#replacedBody;
    this.#replacedBody = false;
    this.#waiting?.resolve({ command, replacedBody });
    this.#waiting = undefined;
  }
}
