import { type SmtpClient, smtpConnect, transaction } from './smtp-client.ts';

/** Clients that send mail over and over, several messages per session, until told to stop. */
export interface MailLoad {
  /** The ids of messages that were accepted; each goes to `ID@example.net` and links to `https://example.com/ID`. */
  readonly accepted: readonly string[];
  /** Replies to whole transactions, by code: of a session that is turned away or cut off, the first other than the expected. */
  readonly replies: ReadonlyMap<number, number>;
  /** The longest time, in milliseconds, until a message was accepted, its repetitions included. */
  readonly longest: number;
  /** Rejects where something goes wrong in a client, such as a connection that is refused; settles in no other way. */
  readonly failed: Promise<never>;
  /** Ends after the messages that have begun; throws what went wrong in a client. */
  stop(): Promise<void>;
}

/** @param senders how many send at the same time, each a message after the other */
export function startMailing(port: number, senders = 3): MailLoad {
  const accepted: string[] = [];
  const replies = new Map<number, number>();
  let longest = 0;
  let over = false;

  const connect = async (): Promise<SmtpClient> => {
    const client = await smtpConnect(port);
    await client.command('EHLO sender.test');
    return client;
  };
  async function sender(name: number): Promise<void> {
    let client = await connect();
    for (let n = 0; !over; n++) {
      const id = `${name}-${n}`;
      const begun = performance.now();
      for (let code = 0; code !== 250; ) {
        ({ code } = await transaction(client, messageTo(id), { to: `${id}@example.net` }));
        replies.set(code, (replies.get(code) ?? 0) + 1);
        if (code === 250 && n % 5 !== 4) continue;
        // Postfix defers the rest of a session whose milter went away; what is deferred is sent again.
        await client.quit();
        client = await connect();
      }
      longest = Math.max(longest, performance.now() - begun);
      accepted.push(id);
    }
    await client.quit();
  }

  const all = Array.from({ length: senders }, (_, name) => sender(name));
  const failed = new Promise<never>((_, reject) => {
    for (const one of all) one.catch(reject);
  });
  failed.catch(() => undefined); // stop() throws it as well
  return {
    accepted,
    replies,
    failed,
    get longest() {
      return longest;
    },
    async stop() {
      over = true;
      await Promise.all(all);
    },
  };
}

/** An open SMTP session that says nothing until it goes on, and then sends a message. */
export interface IdleSession {
  readonly state: string;
  /** The reply to its message, which goes to `idle-N@example.net`. */
  finish(): Promise<number>;
}

/** Sessions in each state in which a client may fall silent. */
export async function openIdleSessions(port: number): Promise<readonly IdleSession[]> {
  const connected = await smtpConnect(port, 60_000);
  const greeted = await smtpConnect(port, 60_000);
  await greeted.command('EHLO sender.test');
  const between = await smtpConnect(port, 60_000);
  await between.command('EHLO sender.test');
  await transaction(between, messageTo('idle-before'), { to: 'idle-before@example.net' });
  const inData = await smtpConnect(port, 60_000);
  await inData.command('EHLO sender.test');
  await inData.command('MAIL FROM:<news@sender.test>');
  await inData.command('RCPT TO:<idle-3@example.net>');
  await inData.command('DATA');
  inData.write('From: News <news@sender.test>\r\n');

  const whole = async (client: SmtpClient, id: string) => {
    const { code } = await transaction(client, messageTo(id), { to: `${id}@example.net` });
    await client.quit();
    return code;
  };
  return [
    {
      state: 'nothing said',
      async finish() {
        await connected.command('EHLO sender.test');
        return whole(connected, 'idle-0');
      },
    },
    { state: 'after EHLO', finish: () => whole(greeted, 'idle-1') },
    { state: 'between two messages', finish: () => whole(between, 'idle-2') },
    {
      state: 'in DATA',
      async finish() {
        inData.write(`${messageTo('idle-3')}.\r\n`);
        const { code } = await inData.reply();
        await inData.quit();
        return code;
      },
    },
  ];
}

/** A message with one link, to `https://example.com/ID`. */
export function messageTo(id: string): string {
  return [
    `To: ${id}@example.net`,
    `Subject: ${id}`,
    'Content-Type: text/html; charset=utf-8',
    '',
    `<p><a href="https://example.com/${id}">Read on</a></p>`,
    '',
  ].join('\r\n');
}
