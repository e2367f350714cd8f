import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { catchMail, type MailCatcher } from '../helpers/catch-mail.ts';
import { follow } from '../helpers/follow.ts';
import { freePort } from '../helpers/free-port.ts';
import { type Postfix, startPostfix } from '../helpers/postfix.ts';
import { builtProgram } from '../helpers/service.ts';
import { smtpConnect, transaction } from '../helpers/smtp-client.ts';
import { type Activated, activate } from '../helpers/socket-activation.ts';

const RESTARTS = 10;
const SENDERS = 3;

let folder: string;
let http: number;
let service: Activated;
let catcher: MailCatcher;
let postfix: Postfix;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'upgrade-'));
  await chmod(folder, 0o755);
  const path = join(folder, 'milter.sock');
  http = await freePort();
  const config = join(folder, 'clickmilter.conf');
  writeFileSync(
    config,
    `state_directory = "${folder}/var"
     Control_Listener { enable = off }
     ESMTP_Listener { click_tracking_enabled = on  tracking_domain = "localhost:${http}" }`,
  );
  service = await activate({ milter: path, redirect: http }, [
    process.execPath,
    builtProgram(),
    '--config',
    config,
    'run',
  ]);
  catcher = await catchMail();
  [postfix] = await Promise.all([
    startPostfix({ deliverTo: catcher.port, milters: `{unix:${path},default_action=tempfail}` }),
    service.start(),
  ]);
}, 90_000);
afterAll(async () => {
  await postfix?.stop();
  await catcher?.stop();
  await service?.close();
  rmSync(folder, { recursive: true });
});

test('ten restarts under traffic: nothing lost, rejected, doubled or untracked', async () => {
  const sent: string[] = [];
  const replies = new Map<number, number>();
  let longest = 0;
  let over = false;

  /** A client as MTAs are: several messages a session, and what is deferred is sent again. */
  async function sender(name: number): Promise<void> {
    for (let n = 0; !over; ) {
      const client = await smtpConnect(postfix.port());
      await client.command('EHLO sender.test');
      for (let inSession = 0; inSession < 5 && !over; inSession++, n++) {
        const id = `${name}-${n}`;
        const begun = performance.now();
        const code = await untilAccepted(client, id);
        longest = Math.max(longest, performance.now() - begun);
        expect(code).toBe(250);
        sent.push(id);
      }
      await client.quit();
    }
  }

  async function untilAccepted(
    client: Awaited<ReturnType<typeof smtpConnect>>,
    id: string,
  ): Promise<number> {
    for (let session = client; ; ) {
      const { code } = await transaction(session, message(id), { to: `${id}@example.net` });
      replies.set(code, (replies.get(code) ?? 0) + 1);
      if (code < 400 || code >= 500) return code;
      // Postfix defers the rest of a session whose milter went away.
      if (session !== client) await session.quit();
      session = await smtpConnect(postfix.port());
      await session.command('EHLO sender.test');
    }
  }

  const senders = Array.from({ length: SENDERS }, (_, name) => sender(name));
  for (let restart = 0; restart < RESTARTS; restart++) {
    const before = sent.length;
    await expect.poll(() => sent.length - before, { timeout: 20_000 }).toBeGreaterThan(SENDERS);
    await service.restart();
  }
  over = true;
  await Promise.all(senders);

  await expect
    .poll(() => catcher.mails.length, { timeout: 30_000 })
    .toBeGreaterThanOrEqual(sent.length);
  const arrived = catcher.mails.map(({ to }) => to[0]?.replace('@example.net', '') ?? '');
  expect(arrived.toSorted()).toEqual(sent.toSorted());
  expect(await postfix.corrupt()).toEqual([]);
  expect([...replies.keys()].filter((code) => code >= 500)).toEqual([]);
  expect(longest).toBeLessThan(30_000);

  // Each was tracked, and leads to its target whichever process made the link.
  for (const { raw, to } of catcher.mails) {
    const text = raw.toString('latin1');
    const id = to[0]?.replace('@example.net', '');
    const [url] = new RegExp(`http://localhost:${http}/[\\w-]+`).exec(text) ?? [];
    expect(url, `${id} is not tracked:\n${text}`).toBeDefined();
    expect(await follow(http, url ?? '')).toEqual({
      status: 302,
      location: `https://example.com/${id}`,
    });
  }
}, 150_000);

test('a session that is in the middle of a message when the service stops is finished first', async () => {
  const client = await smtpConnect(postfix.port());
  await client.command('EHLO sender.test');
  await client.command('MAIL FROM:<news@sender.test>');
  await client.command('RCPT TO:<drained@example.net>');
  await client.command('DATA');
  service.signal('SIGTERM');
  await expect.poll(() => service.notified.at(-1)).toMatchObject({ STOPPING: '1' });
  client.write(`${message('drained')}\r\n.\r\n`);
  expect(await client.reply()).toMatchObject({ code: 250 });
  await client.quit();
  expect(await service.ended()).toBe(0);
  await service.start();
  const { raw } = await catcher.take(({ to }) => to.includes('drained@example.net'));
  expect(raw.toString()).toContain(`http://localhost:${http}/`);
}, 60_000);

function message(id: string): string {
  return [
    'From: News <news@sender.test>',
    `To: ${id}@example.net`,
    `Subject: ${id}`,
    'Content-Type: text/html; charset=utf-8',
    '',
    `<p><a href="https://example.com/${id}">Read on</a></p>`,
    '',
  ].join('\r\n');
}
