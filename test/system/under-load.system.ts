import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { catchMail, type MailCatcher } from '../helpers/catch-mail.ts';
import { poll } from '../helpers/poll.ts';
import { type Postfix, startPostfix } from '../helpers/postfix.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { type Service, startService } from '../helpers/service.ts';
import { smtpConnect, transaction } from '../helpers/smtp-client.ts';
import { newsletter, withoutTrace } from './messages.ts';

// Several senders at a time, and the milter and Redis are killed again and again at moments that nobody chose:
// what was accepted arrives, once and whole; what was not is tried again, as senders do.

const SENDERS = 6;
const MESSAGES = 25;
const KILLS = 4;

let redis: Redis;
let catcher: MailCatcher;
let service: Service;
let postfix: Postfix;

beforeAll(async () => {
  redis = await startRedis();
  catcher = await catchMail();
  service = await startService(
    `link_store = redis
redis { url = "${redis.url}"  command_timeout = 1 }
ESMTP_Listener { click_tracking_enabled = on  tracking_domain = "click.test" }`,
  );
  postfix = await startPostfix({
    deliverTo: catcher.port,
    milters: `{ ${service.milter}, default_action=tempfail }`,
  });
});

afterAll(async () => {
  await postfix?.stop();
  await Promise.all([service?.stop(), redis?.stop(), catcher?.stop()]);
});

test('nothing is lost, doubled or half-changed', async () => {
  let refused = 0;
  let sending = SENDERS;

  /** Sends its messages in one session after another; what is refused for now is tried again. */
  const sender = async (name: number): Promise<void> => {
    const waiting = Array.from({ length: MESSAGES }, (_, n) => `letter-${name}-${n}`);
    while (waiting.length > 0) {
      const client = await smtpConnect(postfix.port());
      await client.command('EHLO sender.test');
      for (let subject = waiting[0]; subject !== undefined; subject = waiting[0]) {
        const { code } = await transaction(client, newsletter(subject).raw);
        if (code !== 250) {
          expect(code).toBe(451);
          refused += 1;
          break;
        }
        waiting.shift();
      }
      await client.quit();
    }
    sending -= 1;
  };

  const killer = async (): Promise<void> => {
    for (let n = 0; n < KILLS; n++) {
      const delivered = catcher.mails.length;
      await poll('the mail to flow', () => catcher.mails.length > delivered + 5 || sending === 0);
      await (n % 2 === 0 ? service.kill() : redis.kill());
      await sleep(20);
      await Promise.all([service.start(), redis.start()]);
    }
  };

  await Promise.all([killer(), ...Array.from({ length: SENDERS }, (_, name) => sender(name))]);
  await postfix.emptied();
  expect(await postfix.corrupt()).toEqual([]);
  expect(refused, 'the kills were too late').toBeGreaterThan(0);

  const subjects = catcher.mails.map(({ raw }) => /^Subject: (.*)\r$/m.exec(raw.toString())?.[1]);
  expect(subjects).toHaveLength(SENDERS * MESSAGES);
  expect(new Set(subjects).size, 'each once').toBe(SENDERS * MESSAGES);
  const untouched: string[] = [];
  for (const [n, { raw }] of catcher.mails.entries()) {
    const message = newsletter(subjects[n] ?? '');
    const delivered = withoutTrace(raw);
    // While Redis is away mail is delivered untracked, as on_failure says by default.
    if (delivered.equals(message.raw)) untouched.push(subjects[n] ?? '');
    else expect(message.urlsIn(delivered)).toHaveLength(message.targets.length);
  }
  expect(untouched.length).toBeLessThan(SENDERS * MESSAGES);
}, 90_000);
