import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { catchMail, type MailCatcher } from '../helpers/catch-mail.ts';
import { poll } from '../helpers/poll.ts';
import { type Sendmail, startSendmail } from '../helpers/sendmail.ts';
import { send, smtpConnect, transaction } from '../helpers/smtp-client.ts';
import { type Recorder, startRecorder } from './recorder.ts';

// INPUT_MAIL_FILTER of a real Sendmail, on both kinds of socket.

const message = (subject: string, body = 'body\r\n') =>
  `From: a@sender.test\r\nTo: b@example.net\r\nSubject: ${subject}\r\n\r\n${body}`;

describe.each(['tcp', 'unix'])('over %s', (over) => {
  let dir: string;
  let catcher: MailCatcher;
  let recorder: Recorder;
  let sendmail: Sendmail;

  beforeAll(async () => {
    // Sendmail opens no socket below a folder that others may write to, as /tmp is.
    dir = mkdtempSync('/run/clickmilter-');
    const path = join(dir, 'milter.sock');
    catcher = await catchMail();
    recorder = await startRecorder(over === 'tcp' ? undefined : { path });
    const socket = over === 'tcp' ? `inet:${recorder.port}@127.0.0.1` : `unix:${path}`;
    sendmail = await startSendmail({
      deliverTo: catcher.port,
      milter: `S=${socket}, F=T, T=C:10s;S:10s;R:10s;E:5m`,
    });
  });

  afterAll(async () => {
    await sendmail?.stop();
    await Promise.all([recorder?.stop(), catcher?.stop()]);
    rmSync(dir, { recursive: true });
  });

  beforeEach(() => {
    recorder.messages.splice(0);
    catcher.mails.splice(0);
  });

  test('a message comes whole, with the macros that were asked for', async () => {
    const reply = await send(sendmail.port, message('whole', 'one\r\n..two\r\n'));
    expect(reply.code).toBe(250);
    const mail = await catcher.take();
    expect(mail.raw.toString()).toContain('X-Recorded: 1\r\n');
    const [seen] = recorder.messages;
    expect(seen).toMatchObject({
      client: expect.stringMatching(/^\S+ \[127\.0\.0\.1\]:\d+$/),
      helo: 'sender.test',
      sender: 'news@sender.test',
      recipients: ['reader@example.net'],
      headers: ['From: a@sender.test', 'To: b@example.net', 'Subject: whole'],
      macros: {
        '{daemon_name}': 'MTA',
        '{daemon_addr}': '127.0.0.1',
        '{daemon_port}': String(sendmail.port),
        '{client_addr}': '127.0.0.1',
      },
      end: 'complete',
    });
    expect(seen?.queueId).toMatch(/^\w+$/);
    expect(seen?.body.toString()).toBe('one\r\n..two\r\n');
  });

  test('several messages a session, with RSET between', async () => {
    const client = await smtpConnect(sendmail.port);
    await client.command('EHLO sender.test');
    expect((await transaction(client, message('first'))).code).toBe(250);
    await client.command('MAIL FROM:<gone@sender.test>');
    await client.command('RCPT TO:<b@example.net>');
    await client.command('RSET');
    expect((await transaction(client, message('second'))).code).toBe(250);
    await client.quit();
    await poll('both mails', () => catcher.mails.length === 2);
    expect(recorder.messages.map(({ sender, end }) => [sender, end])).toEqual([
      ['news@sender.test', 'complete'],
      ['gone@sender.test', 'aborted'],
      ['news@sender.test', 'complete'],
    ]);
  });

  test('a body of 1 MB', async () => {
    const body = `${'0123456789'.repeat(7)}\r\n`.repeat(15_000);
    expect((await send(sendmail.port, message('large', body))).code).toBe(250);
    const mail = await catcher.take();
    expect(recorder.messages[0]?.body.equals(Buffer.from(body))).toBe(true);
    expect(mail.raw.subarray(-body.length).equals(Buffer.from(body))).toBe(true);
  });

  test('a client that hangs up in mid-message', async () => {
    const client = await smtpConnect(sendmail.port);
    await client.command('EHLO sender.test');
    await client.command('MAIL FROM:<a@sender.test>');
    await client.command('RCPT TO:<b@example.net>');
    await client.command('DATA');
    client.write('Subject: half a mess');
    client.destroy();
    await poll('the message to be given up', () => recorder.messages[0]?.end !== undefined);
    expect(recorder.messages[0]?.end).not.toBe('complete');
  });

  test('nothing went wrong on the way', () => {
    const types = recorder.events.map((event) => event.type);
    expect(types.filter((type) => type !== 'disconnected')).toEqual([]);
  });
});
