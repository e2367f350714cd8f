import { afterAll, beforeAll, expect, test } from 'vitest';
import { catchMail, type MailCatcher } from './catch-mail.ts';
import { type Postfix, startPostfix } from './postfix.ts';
import { send } from './smtp-client.ts';

let catcher: MailCatcher;
let postfix: Postfix;

beforeAll(async () => {
  catcher = await catchMail();
  postfix = await startPostfix({ deliverTo: catcher.port, chroot: true });
});

afterAll(async () => {
  await postfix?.stop();
  await catcher?.stop();
});

test('a message goes through a private Postfix byte for byte, its trace headers aside', async () => {
  const message = [
    'From: a@sender.test',
    'To: b@example.net',
    'Date: Mon, 1 Jan 2024 00:00:00 +0000',
    'Message-Id: <1@sender.test>',
    'Subject: dots',
    '',
    '.one dot',
    '..two dots',
    '\xe9 in latin1',
    '.',
    'end',
    '',
  ].join('\r\n');
  const bytes = Buffer.from(message, 'latin1');
  expect(await send(postfix.port(), bytes, { mailArgs: 'BODY=8BITMIME' })).toMatchObject({
    code: 250,
  });
  const mail = await catcher.take();
  expect(mail.to).toEqual(['reader@example.net']);
  expect(mail.raw.toString('latin1')).toMatch(/^Received: /);
  expect(mail.raw.subarray(-bytes.length).equals(bytes)).toBe(true);
});

test('local submission and the queue can be looked at', async () => {
  await postfix.sendmail('Subject: local\n\nbody\n', '-f', 'a@sender.test', 'b@example.net');
  expect((await catcher.take()).raw.toString()).toContain('Subject: local\r\n');
  expect(await postfix.corrupt()).toEqual([]);
});
