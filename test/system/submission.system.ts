import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { catchMail, type MailCatcher } from '../helpers/catch-mail.ts';
import { requireProgram } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';
import { type Postfix, startPostfix } from '../helpers/postfix.ts';
import { type Service, startService } from '../helpers/service.ts';
import { smtpConnect, transaction } from '../helpers/smtp-client.ts';
import { alternative, htmlOnly, textOnly, withoutTrace } from './messages.ts';

// Other ways into Postfix than one message a session.

let catcher: MailCatcher;
let service: Service;
let postfix: Postfix;

beforeAll(async () => {
  catcher = await catchMail();
  service = await startService(
    'ESMTP_Listener { tracking_domain = "click.test"  Peer "127.0.0.0/8" { click_tracking_enabled = on } }',
  );
  const milters = `{ ${service.milter}, default_action=tempfail }`;
  postfix = await startPostfix({
    deliverTo: catcher.port,
    milters,
    main: { non_smtpd_milters: milters },
  });
});

afterAll(async () => {
  await postfix?.stop();
  await Promise.all([service?.stop(), catcher?.stop()]);
});

test('sendmail -t, by programs on the machine itself', async () => {
  await postfix.sendmail(textOnly.raw.toString('latin1').replaceAll('\r\n', '\n'), '-t');
  const mail = await catcher.take();
  expect(mail.to).toEqual(['reader@example.net']);
  expect(textOnly.urlsIn(withoutTrace(mail.raw))).toHaveLength(textOnly.targets.length);
});

test('BDAT', async () => {
  const client = await smtpConnect(postfix.port());
  await client.command('EHLO sender.test');
  await client.command('MAIL FROM:<news@sender.test>');
  await client.command('RCPT TO:<reader@example.net>');
  const { raw } = alternative;
  const pieces = [raw.subarray(0, 700), raw.subarray(700)];
  for (const [n, piece] of pieces.entries()) {
    client.write(`BDAT ${piece.length}${n === pieces.length - 1 ? ' LAST' : ''}\r\n`);
    client.write(piece);
    expect(await client.reply()).toMatchObject({ code: 250 });
  }
  await client.quit();
  const urls = alternative.urlsIn(withoutTrace((await catcher.take()).raw));
  expect(urls).toHaveLength(alternative.targets.length);
});

test('several messages a session, each with tokens of its own', async () => {
  const client = await smtpConnect(postfix.port());
  await client.command('EHLO sender.test');
  for (let n = 0; n < 3; n++) {
    expect(await transaction(client, htmlOnly.raw)).toMatchObject({ code: 250 });
  }
  await client.quit();
  await poll('three mails', () => catcher.mails.length === 3);
  const urls = catcher.mails.splice(0).flatMap(({ raw }) => htmlOnly.urlsIn(withoutTrace(raw)));
  expect(new Set(urls).size).toBe(3 * htmlOnly.targets.length);
});

test('swaks, and smtp-source with eight sessions at a time', async () => {
  const run = promisify(execFile);
  const address = ['--from', 'news@sender.test', '--to', 'reader@example.net'];
  const server = ['--server', '127.0.0.1', '--port', String(postfix.port())];
  const body = 'see https://shop.example/by-swaks and be glad';
  await run(requireProgram('swaks', 'swaks'), [...server, ...address, '--body', body]);
  expect((await catcher.take()).raw.toString()).toMatch(
    /see http:\/\/click\.test\/[\w-]+ and be glad/,
  );
  const source = requireProgram('smtp-source', 'postfix');
  const load = ['-m', '80', '-s', '8', '-l', '20000', '-d', `inet:127.0.0.1:${postfix.port()}`];
  await run(source, load);
  await poll('all mails', () => catcher.mails.length === 80);
  await postfix.emptied();
});
