import { expect } from 'vitest';
import { type CaughtMail, catchMail, type MailCatcher } from '../helpers/catch-mail.ts';
import { type ClickLoad, startClicking } from '../helpers/click-load.ts';
import { follow } from '../helpers/follow.ts';
import { bootMachine, type Machine, packages } from '../helpers/machine.ts';
import { type MailLoad, openIdleSessions, startMailing } from '../helpers/mail-load.ts';
import { poll } from '../helpers/poll.ts';
import { slowness } from '../helpers/slowness.ts';

const SMTP = 25;
const HTTP = 8080;

/** A machine on which clickmilter is installed and Postfix asks it, and whose mail to example.net comes here. */
export interface MailServer {
  readonly machine: Machine;
  /** Waits for a mail that comes here. */
  readonly takeMail: MailCatcher['take'];
  /** Begins to send mail, and to click on links of mail that arrived. */
  startLoad(): Promise<Load>;
  close(): Promise<void>;
}

interface Load {
  readonly mail: MailLoad;
  /** Milliseconds that a message may wait for a restart: 5,000, and more as far as this machine is slower than usual. */
  readonly patience: number;
  /** Waits for so many more accepted messages. */
  goOn(messages?: number): Promise<void>;
  /**
   * Ends it, and counts: each accepted message arrived once, tracked, with a link that leads to its target; each click
   * that was answered is an event, once. The replies to messages, and to clicks, are those that the test allows.
   */
  end(replies: readonly number[], answers: readonly string[]): Promise<void>;
}

/**
 * @param milter as in smtpd_milters
 * @param prepare a shell script that configures clickmilter, once it is installed
 */
export async function startMailServer(
  suite: string,
  milter = 'inet:127.0.0.1:8893',
  prepare = '',
): Promise<MailServer> {
  const machine = await bootMachine(`${suite}-mail`);
  const catcher = await catchMail();
  await machine.run(`apt-get install -y -qq ${packages.current}
    ${prepare}
    postconf -e 'smtpd_milters = {${milter}, default_action=tempfail}' 'non_smtpd_milters = $smtpd_milters' \\
      'default_transport = smtp:[127.0.0.1]:${catcher.port}' smtp_dns_support_level=disabled
    systemctl restart postfix`);
  await machine.run('systemctl restart clickmilter-milter clickmilter-redirect');
  return {
    machine,
    takeMail: catcher.take,
    startLoad: () => startLoad(machine, catcher),
    async close() {
      await machine.stop();
      await catcher.stop();
    },
  };
}

/** Expects that a restart refuses nothing, neither under load nor of sessions that are idle meanwhile. */
export async function expectNothingRefused(server: MailServer, command: string): Promise<void> {
  const { machine } = server;
  const load = await server.startLoad();
  const idle = await openIdleSessions(SMTP);
  await load.goOn();
  await machine.run(command);
  await load.goOn();
  for (const session of idle) {
    expect([session.state, await session.finish()]).toEqual([session.state, 250]);
  }
  await load.end([250], ['302']);
  expect(load.mail.longest).toBeLessThan(load.patience);
  expect(await machine.errors()).toEqual([]);
}

async function startLoad(machine: Machine, catcher: MailCatcher): Promise<Load> {
  const mail = startMailing(SMTP);
  const first = await Promise.race([
    poll('the first mail', () => catcher.mails[0], 60_000),
    mail.failed,
  ]);
  // Slow enough to be no flood on one link, whose clicks are counted in fewer events.
  const clicks = startClicking(HTTP, [linkOf(first)], 1, 100);
  let slowest = await slowness();
  return {
    mail,
    get patience() {
      return 5_000 * slowest;
    },
    async goOn(messages = 10) {
      slowest = Math.max(slowest, await slowness());
      const before = mail.accepted.length;
      await Promise.race([
        poll(`${messages} messages`, () => mail.accepted.length - before >= messages, 120_000),
        mail.failed,
      ]);
    },
    async end(replies, answers) {
      await mail.stop();
      await clicks.stop();
      expect(replies).toEqual(expect.arrayContaining([...mail.replies.keys()]));
      const failures = clicks.errors.join('; ');
      expect(answers, failures).toEqual(expect.arrayContaining([...clicks.outcomes.keys()]));
      await expectMail(mail, catcher);
      await expectClicks(clicks, machine);
    },
  };
}

async function expectMail({ accepted }: MailLoad, { mails }: MailCatcher): Promise<void> {
  const arrived = () =>
    mails.map(({ to }) => to[0]?.replace('@example.net', '') ?? '').filter((id) => /^\d/.test(id));
  await expect.poll(() => arrived().length).toBeGreaterThanOrEqual(accepted.length);
  expect(arrived().toSorted()).toEqual(accepted.toSorted());
  for (const mail of mails) {
    expect(await follow(HTTP, linkOf(mail))).toEqual({
      status: 302,
      location: `https://example.com/${mail.to[0]?.replace('@example.net', '')}`,
    });
  }
}

async function expectClicks(clicks: ClickLoad, machine: Machine): Promise<void> {
  const events = await machine.run('clickmilter events');
  const agents = [...events.matchAll(/Mozilla\/5\.0 click-\d+/g)].map(([agent]) => agent);
  expect(agents.toSorted()).toEqual([...clicks.answered].toSorted());
}

export function linkOf({ raw, to }: CaughtMail): string {
  const [link] = /http:\/\/localhost:8080\/[\w-]+/.exec(raw.toString('latin1')) ?? [];
  if (link === undefined) throw new Error(`the mail to ${to} is not tracked:\n${raw}`);
  return link;
}
