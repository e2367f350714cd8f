import { createServer, type Socket } from 'node:net';
import { listenLocally } from './listen-locally.ts';
import { poll } from './poll.ts';

/** A mail as the last hop received it. */
export interface CaughtMail {
  /** The parameter of MAIL FROM, without the angle brackets. */
  readonly from: string;
  readonly to: readonly string[];
  /** The message as sent, dot-stuffing undone, CRLF kept, the final dot left out. */
  readonly raw: Buffer;
}

/** An SMTP server that accepts everything and keeps it. */
export interface MailCatcher {
  readonly port: number;
  readonly mails: CaughtMail[];
  /** Waits for the first mail that `wanted` picks (any, when not given), and takes it off the list. */
  take(wanted?: (mail: CaughtMail) => boolean, deadline?: number): Promise<CaughtMail>;
  stop(): Promise<void>;
}

const CRLF = Buffer.from('\r\n');
const END = Buffer.from('\r\n.\r\n');

/** Starts the catcher on a free port of the loopback. */
export async function catchMail(): Promise<MailCatcher> {
  const mails: CaughtMail[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    receive(socket, (mail) => mails.push(mail));
  });
  const port = await listenLocally(server);
  return {
    port,
    mails,
    take: (wanted = () => true, deadline = 20_000) =>
      poll(
        'a mail to arrive',
        () => {
          const index = mails.findIndex(wanted);
          return index < 0 ? undefined : mails.splice(index, 1)[0];
        },
        deadline,
      ),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** One SMTP session on `socket`; `deliver` gets each mail before its 250 goes out. */
function receive(socket: Socket, deliver: (mail: CaughtMail) => void): void {
  let from = '';
  let to: string[] = [];
  // The message's chunks, joined once its end is seen: a 3 MB message arrives in fifty of them.
  let content: Buffer[] | undefined;
  let tail: Buffer = Buffer.alloc(0);
  const say = (line: string) => socket.write(`${line}\r\n`);

  const command = (line: string) => {
    const verb = line.slice(0, 4).toUpperCase();
    const path = /<([^>]*)>/.exec(line)?.[1] ?? '';
    if (verb === 'EHLO') {
      say('250-catcher.test');
      say('250-PIPELINING');
      say('250-SIZE');
      say('250-8BITMIME');
      say('250 SMTPUTF8');
    } else if (verb === 'MAIL') {
      from = path;
      to = [];
      say('250 2.1.0 Ok');
    } else if (verb === 'RCPT') {
      to.push(path);
      say('250 2.1.5 Ok');
    } else if (verb === 'DATA') {
      content = [];
      // A message may begin with its final dot: the CRLF before it is that of DATA.
      tail = CRLF;
      say('354 Go ahead');
    } else if (verb === 'QUIT') {
      say('221 2.0.0 Bye');
      socket.end();
    } else {
      say('250 2.0.0 Ok');
    }
  };

  const take = (chunk: Buffer): void => {
    let input = chunk;
    while (input.length > 0) {
      if (content === undefined) {
        const line = Buffer.concat([tail, input]);
        const end = line.indexOf(CRLF);
        if (end < 0) {
          tail = line;
          return;
        }
        tail = Buffer.alloc(0);
        input = line.subarray(end + CRLF.length);
        command(line.subarray(0, end).toString('utf8'));
        continue;
      }
      // The end mark may lie across two chunks: the last four bytes always wait for the next.
      const joined = Buffer.concat([tail, input]);
      const end = joined.indexOf(END);
      if (end < 0) {
        const kept = Math.max(0, joined.length - (END.length - 1));
        content.push(joined.subarray(0, kept));
        tail = joined.subarray(kept);
        return;
      }
      content.push(joined.subarray(0, end + CRLF.length));
      deliver({ from, to, raw: unstuff(Buffer.concat(content).subarray(CRLF.length)) });
      content = undefined;
      tail = Buffer.alloc(0);
      input = joined.subarray(end + END.length);
      say('250 2.0.0 Caught');
    }
  };

  socket.on('data', take);
  say('220 catcher.test ESMTP');
}

/** Undoes the doubled dots at the beginnings of lines (RFC 5321 § 4.5.2). */
function unstuff(stuffed: Buffer): Buffer {
  const text = stuffed.toString('latin1');
  return Buffer.from(text.replace(/(^|\r\n)\.\./g, '$1.'), 'latin1');
}
