import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { catchMail, type MailCatcher } from '../helpers/catch-mail.ts';
import { requireProgram } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';
import { type Postfix, startPostfix } from '../helpers/postfix.ts';
import { send, smtpConnect, transaction } from '../helpers/smtp-client.ts';
import { type Recorder, startRecorder } from './recorder.ts';

// What real Postfix makes a milter see, in sessions that a mock MTA would be too polite for.

const run = promisify(execFile);
const message = (subject: string, body = 'body\r\n') =>
  `From: a@sender.test\r\nTo: b@example.net\r\nSubject: ${subject}\r\n\r\n${body}`;

let catcher: MailCatcher;
let tcp: Recorder;
let unix: Recorder;
let postfix: Postfix;

beforeAll(async () => {
  catcher = await catchMail();
  tcp = await startRecorder();
  postfix = await startPostfix({
    deliverTo: catcher.port,
    // As Debian runs it: a milter's unix socket must lie in the queue directory.
    chroot: true,
    main: { non_smtpd_milters: `inet:127.0.0.1:${tcp.port}` },
    services: {
      tcp: { smtpd_milters: `inet:127.0.0.1:${tcp.port}`, milter_macro_daemon_name: 'submission' },
      unix: { smtpd_milters: 'unix:clickmilter/milter.sock' },
    },
  });
  mkdirSync(join(postfix.queueDirectory, 'clickmilter'));
  const path = join(postfix.queueDirectory, 'clickmilter/milter.sock');
  unix = await startRecorder({ path, mode: 0o666 });
});

afterAll(async () => {
  await postfix?.stop();
  await Promise.all([tcp?.stop(), unix?.stop(), catcher?.stop()]);
});

beforeEach(() => {
  for (const recorder of [tcp, unix]) recorder.messages.splice(0);
  catcher.mails.splice(0);
});

describe.each([
  { over: 'tcp', recorder: () => tcp },
  { over: 'unix', recorder: () => unix },
])('over $over', ({ over, recorder }) => {
  const port = () => postfix.port(over);

  test('a message comes whole, with the macros that were asked for', async () => {
    const reply = await send(port(), message('whole', 'one\r\n..two\r\n'), { helo: 'me.test' });
    expect(reply.code).toBe(250);
    const mail = await catcher.take();
    expect(mail.raw.toString()).toContain('X-Recorded: 1\r\n');
    const [seen] = recorder().messages;
    expect(seen).toMatchObject({
      client: expect.stringMatching(/^\[127\.0\.0\.1\] \[127\.0\.0\.1\]:\d+$/),
      helo: 'me.test',
      sender: 'news@sender.test',
      recipients: ['reader@example.net'],
      headers: expect.arrayContaining(['From: a@sender.test', 'Subject: whole']),
      queueId: expect.stringMatching(/^[0-9A-F]+$/),
      macros: {
        '{daemon_name}': over === 'tcp' ? 'submission' : 'mta.test',
        '{daemon_addr}': '127.0.0.1',
        '{daemon_port}': String(port()),
        '{client_addr}': '127.0.0.1',
        '{mail_addr}': 'news@sender.test',
      },
      end: 'complete',
    });
    expect(seen?.body.toString()).toBe('one\r\n..two\r\n');
  });

  test('several messages a session, with RSET, a second EHLO and a refused recipient between', async () => {
    const client = await smtpConnect(port());
    await client.command('EHLO sender.test');
    expect((await transaction(client, message('first'))).code).toBe(250);
    await client.command('MAIL FROM:<gone@sender.test>');
    await client.command('RCPT TO:<b@example.net>');
    await client.command('RSET');
    await client.command('MAIL FROM:<gone@sender.test>');
    await client.command('EHLO again.test');
    await client.command('MAIL FROM:<gone@sender.test>');
    expect((await client.command('RCPT TO:<no such address>')).code).toBe(501);
    await client.command('RSET');
    expect((await transaction(client, message('second'))).code).toBe(250);
    await client.quit();
    await poll('both mails', () => catcher.mails.length === 2);
    expect(recorder().messages.map(({ sender, end, helo }) => [sender, end, helo])).toEqual([
      ['news@sender.test', 'complete', 'sender.test'],
      ['gone@sender.test', 'aborted', 'sender.test'],
      ['gone@sender.test', 'aborted', 'sender.test'],
      ['gone@sender.test', 'aborted', 'again.test'],
      ['news@sender.test', 'complete', 'again.test'],
    ]);
  });

  test('a client that hangs up in mid-message', async () => {
    const client = await smtpConnect(port());
    await client.command('EHLO sender.test');
    await client.command('MAIL FROM:<a@sender.test>');
    await client.command('RCPT TO:<b@example.net>');
    await client.command('DATA');
    client.write('Subject: half a mess');
    client.destroy();
    await poll('the message to be given up', () => recorder().messages[0]?.end !== undefined);
    expect(recorder().messages[0]?.end).toBe('aborted');
  });

  test('BDAT, in chunks that break a line', async () => {
    const client = await smtpConnect(port());
    expect((await client.command('EHLO sender.test')).text).toContain('CHUNKING');
    await client.command('MAIL FROM:<a@sender.test>');
    await client.command('RCPT TO:<b@example.net>');
    const text = message('chunks', 'a line\r\n.\r\nanother\r\n');
    for (const [piece, last] of [
      [text.slice(0, 30), ''],
      [text.slice(30), ' LAST'],
    ]) {
      client.write(`BDAT ${piece?.length}${last}\r\n${piece}`);
      expect((await client.reply()).code).toBe(250);
    }
    await client.quit();
    await catcher.take();
    expect(recorder().messages[0]).toMatchObject({ end: 'complete' });
    expect(recorder().messages[0]?.body.toString()).toBe('a line\r\n.\r\nanother\r\n');
  });

  test('XCLIENT begins another session, with another client and login', async () => {
    const before = recorder().sessions.ended;
    const reply = await send(port(), message('xclient'), {
      xclient: { ADDR: 'IPV6:2001:db8::7', NAME: 'far.test', PORT: '1025', LOGIN: 'alice' },
    });
    expect(reply.code).toBe(250);
    await catcher.take();
    expect(recorder().messages[0]).toMatchObject({
      client: 'far.test [2001:db8::7]:1025',
      macros: { '{client_addr}': 'IPv6:2001:db8::7', '{auth_authen}': 'alice' },
    });
    await poll('both sessions to end', () => recorder().sessions.ended === before + 2);
  });

  test('SMTPUTF8: addresses and fields come as raw UTF-8', async () => {
    const reply = await send(port(), message('grüße'), {
      from: 'jürgen@sender.test',
      to: 'jürgen@exämple.net',
      mailArgs: 'SMTPUTF8 BODY=8BITMIME',
    });
    expect(reply.code).toBe(250);
    await catcher.take();
    const bytes = (text: string) => Buffer.from(text).toString('latin1');
    expect(recorder().messages[0]).toMatchObject({
      sender: bytes('jürgen@sender.test'),
      senderArgs: expect.arrayContaining(['SMTPUTF8']),
      recipients: [bytes('jürgen@exämple.net')],
      headers: expect.arrayContaining([bytes('Subject: grüße')]),
    });
  });

  test('a body of 5 MB', async () => {
    const body = `${'0123456789'.repeat(7)}\r\n`.repeat(70_000);
    expect((await send(port(), message('large', body))).code).toBe(250);
    const mail = await catcher.take();
    expect(recorder().messages[0]?.body.equals(Buffer.from(body))).toBe(true);
    expect(mail.raw.subarray(-body.length).equals(Buffer.from(body))).toBe(true);
  });

  test('swaks and smtp-source, who speak SMTP in their own ways', async () => {
    const swaks = requireProgram('swaks', 'swaks');
    const to = ['--server', '127.0.0.1', '--port', String(port()), '--to', 'b@example.net'];
    await run(swaks, [...to, '--from', 'a@sender.test', '--body', 'by swaks', '--pipeline']);
    const source = requireProgram('smtp-source', 'postfix');
    await run(source, ['-m', '20', '-s', '4', '-l', '5000', '-d', `inet:127.0.0.1:${port()}`]);
    await poll('all mails', () => catcher.mails.length === 21);
    expect(recorder().messages.map(({ end }) => end)).toEqual(Array(21).fill('complete'));
  });
});

test('local submission through non_smtpd_milters: no angle brackets, no client', async () => {
  await postfix.sendmail(
    'Subject: local\nTo: one@example.net, two@example.net\n\nbody\n',
    '-t',
    '-f',
    'local@sender.test',
  );
  await catcher.take();
  expect(tcp.messages[0]).toMatchObject({
    client: 'localhost [127.0.0.1]:0',
    helo: 'localhost',
    sender: 'local@sender.test',
    recipients: ['one@example.net', 'two@example.net'],
    macros: { '{daemon_port}': '0' },
    end: 'complete',
  });
});

test('nothing went wrong on the way', async () => {
  const what = (recorder: Recorder) => recorder.events.map((event) => event.type);
  expect([...what(tcp), ...what(unix)]).toEqual([]);
  expect(await postfix.corrupt()).toEqual([]);
  expect(postfix.log()).not.toMatch(/warning:.*milter/);
  await poll(
    'every connection to end',
    () => tcp.server.connections + unix.server.connections === 0,
  );
});
