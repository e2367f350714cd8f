import type { AddressInfo } from 'node:net';
import {
  connectMilter,
  createMilterServer,
  type MilterServer,
  type ReceivedAnswer,
} from '../../src/milter/milter.ts';
import { type CaughtMail, catchMail, type MailCatcher } from '../helpers/catch-mail.ts';
import { poll } from '../helpers/poll.ts';
import { startPostfix } from '../helpers/postfix.ts';
import { startSendmail } from '../helpers/sendmail.ts';
import { dotStuff, smtpConnect } from '../helpers/smtp-client.ts';
import type { Dialogue } from './dialogue.ts';
import { obedientFilter } from './oracle/obedient-filter.ts';

/** What became of a dialogue, as its `.testcase` file puts it. */
interface Outcome {
  readonly reply: number;
  readonly rcptCodes: readonly number[];
  readonly result: Dialogue['result'];
  /** Where something was delivered. */
  readonly from?: string;
  readonly to?: readonly string[];
  readonly message?: string;
}

/** An MTA with our server and the obedient filter behind it. */
export interface Player {
  play(dialogue: Dialogue): Promise<Outcome>;
  stop(): Promise<void>;
}

/** A milter server with the obedient filter on a free port; `port` of it. */
async function startObedient(): Promise<{ server: MilterServer; port: number }> {
  const server = createMilterServer(obedientFilter());
  const address = (await server.listen({ host: '127.0.0.1', port: 0 })) as AddressInfo;
  return { server, port: address.port };
}

/** The library's own client in the place of the MTA. */
export async function mockPlayer(): Promise<Player> {
  const { server, port } = await startObedient();
  return {
    play: async (dialogue) => {
      const client = await connectMilter({ port });
      try {
        const sent = await client.send({
          sender: `<${dialogue.mail}>`,
          recipients: dialogue.rcpts.map(({ address }) => `<${address}>`),
          message: dialogue.message,
        });
        const bare = (address: string) => address.replace(/^<(.*)>$/, '$1');
        const outcome = {
          reply: code(sent.answer),
          rcptCodes: dialogue.rcpts.map(({ address }) => code(sent.refused.get(`<${address}>`))),
        };
        if (outcome.reply !== 250 || sent.answer === 'discard') {
          return { ...outcome, result: 'nothing' };
        }
        if (sent.quarantine !== undefined) return { ...outcome, result: 'quarantined' };
        return {
          ...outcome,
          result: 'delivered',
          from: bare(sent.sender),
          to: sent.recipients.map(bare).sort(),
          message: withoutTrace(sent.message),
        };
      } finally {
        await client.quit();
      }
    },
    stop: async () => {
      await server.close({ deadline: 0 });
    },
  };
}

/** The SMTP code that an MTA makes of an answer; 250 where the message, or recipient, goes on. */
function code(answer: ReceivedAnswer | undefined): number {
  if (answer === undefined) return 250;
  if (typeof answer === 'object') return answer.code;
  if (answer === 'reject') return 550;
  return answer === 'tempfail' ? 451 : 250;
}

export async function postfixPlayer(): Promise<Player> {
  const { server, port } = await startObedient();
  const catcher = await catchMail();
  const postfix = await startPostfix({
    deliverTo: catcher.port,
    milters: `inet:127.0.0.1:${port}`,
  });
  const held = async () => {
    const queue = await postfix.queue();
    return queue.filter((mail) => mail.queue_name === 'hold').length;
  };
  return {
    play: (dialogue) => playSmtp(postfix.port(), catcher, dialogue, held),
    stop: async () => {
      await postfix.stop();
      await catcher.stop();
      await server.close({ deadline: 0 });
    },
  };
}

export async function sendmailPlayer(): Promise<Player> {
  const { server, port } = await startObedient();
  const catcher = await catchMail();
  const sendmail = await startSendmail({
    deliverTo: catcher.port,
    milter: `S=inet:${port}@127.0.0.1, F=T, T=S:10s;R:10s;E:5m`,
  });
  // A quarantined message's queue file is named hf instead of qf.
  const held = async () => (await sendmail.queue()).filter((file) => file.startsWith('hf')).length;
  return {
    play: (dialogue) => playSmtp(sendmail.port, catcher, dialogue, held),
    stop: async () => {
      await sendmail.stop();
      await catcher.stop();
      await server.close({ deadline: 0 });
    },
  };
}

/** Speaks the dialogue to a real MTA, and sees what it delivers. `held` counts what it keeps back. */
async function playSmtp(
  port: number,
  catcher: MailCatcher,
  dialogue: Dialogue,
  held: () => Promise<number>,
): Promise<Outcome> {
  const heldBefore = await held();
  const client = await smtpConnect(port);
  try {
    await client.command('EHLO sender.test');
    const mail = await client.command(`MAIL FROM:<${dialogue.mail}> BODY=8BITMIME`);
    const rcptCodes: number[] = [];
    if (mail.code !== 250) return { reply: mail.code, rcptCodes, result: 'nothing' };
    for (const { address } of dialogue.rcpts) {
      rcptCodes.push((await client.command(`RCPT TO:<${address}>`)).code);
    }
    await client.command('DATA');
    client.write(dotStuff(dialogue.message));
    const { code: reply } = await client.reply();
    const outcome = { reply, rcptCodes };
    if (reply !== 250) return { ...outcome, result: 'nothing' };

    // The next message of the session shows that nothing comes of the one before: mail is delivered in order.
    const seen: CaughtMail[] = [];
    if (dialogue.result !== 'delivered') {
      await client.command('MAIL FROM:<marker@sender.test>');
      await client.command('RCPT TO:<marker@example.net>');
      await client.command('DATA');
      client.write('Subject: marker\r\n\r\n.\r\n');
      await client.reply();
    }
    const what = `${dialogue.name} to be delivered`;
    await poll(what, async () => {
      seen.push(...catcher.mails.splice(0));
      return seen.length > 0;
    });
    const delivered = seen.find((caught) => caught.from !== 'marker@sender.test');
    if (delivered === undefined) {
      return { ...outcome, result: (await held()) > heldBefore ? 'quarantined' : 'nothing' };
    }
    return {
      ...outcome,
      result: 'delivered',
      from: delivered.from,
      to: [...delivered.to].sort(),
      message: withoutTrace(delivered.raw),
    };
  } finally {
    await client.quit();
  }
}

/** The message as latin1 without its Received and Return-Path fields. */
function withoutTrace(raw: Buffer): string {
  const text = raw.toString('latin1');
  const end = text.indexOf('\r\n\r\n');
  const trace = /^(Received|Return-Path):.*\r\n([ \t].*\r\n)*/gm;
  return text.slice(0, end + 2).replace(trace, '') + text.slice(end + 2);
}
