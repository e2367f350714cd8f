import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { builtProgram } from '../helpers/built-program.ts';
import { catchMail, type MailCatcher } from '../helpers/catch-mail.ts';
import { follow } from '../helpers/follow.ts';
import { freePort } from '../helpers/free-port.ts';
import { messageTo, startMailing } from '../helpers/mail-load.ts';
import { type Postfix, startPostfix } from '../helpers/postfix.ts';
import { smtpConnect } from '../helpers/smtp-client.ts';
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
    builtProgram,
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
  const load = startMailing(postfix.port(), SENDERS);
  let slowest = 0;
  for (let restart = 0; restart < RESTARTS; restart++) {
    const before = load.accepted.length;
    await expect.poll(() => load.accepted.length - before).toBeGreaterThan(SENDERS);
    const begun = performance.now();
    await service.restart();
    slowest = Math.max(slowest, performance.now() - begun);
  }
  await load.stop();
  const sent = load.accepted;

  await expect.poll(() => catcher.mails.length).toBeGreaterThanOrEqual(sent.length);
  const arrived = catcher.mails.map(({ to }) => to[0]?.replace('@example.net', '') ?? '');
  expect(arrived.toSorted()).toEqual(sent.toSorted());
  expect(await postfix.corrupt()).toEqual([]);
  expect([...load.replies.keys()].filter((code) => code >= 500)).toEqual([]);
  // Mail waits for a restart, and not for a time-out of Postfix.
  expect(load.longest).toBeLessThan(5 * slowest);

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
  client.write(`${messageTo('drained')}\r\n.\r\n`);
  expect(await client.reply()).toMatchObject({ code: 250 });
  await client.quit();
  expect(await service.ended()).toBe(0);
  await service.start();
  const { raw } = await catcher.take(({ to }) => to.includes('drained@example.net'));
  expect(raw.toString()).toContain(`http://localhost:${http}/`);
}, 60_000);
