import { expect, test } from 'vitest';
import { catchMail } from './catch-mail.ts';
import { startSendmail } from './sendmail.ts';
import { send } from './smtp-client.ts';

test('a message goes through a private Sendmail byte for byte, its trace header aside', async () => {
  const catcher = await catchMail();
  const sendmail = await startSendmail({ deliverTo: catcher.port });
  const bytes = Buffer.from(
    'From: a@sender.test\r\nSubject:  two spaces\r\n\r\n.dot\r\n\xe9\r\n\r\n',
    'latin1',
  );
  expect(await send(sendmail.port, bytes)).toMatchObject({ code: 250 });
  const mail = await catcher.take();
  expect(mail.raw.toString('latin1')).toMatch(/^Received: /);
  expect(mail.raw.subarray(-bytes.length).equals(bytes)).toBe(true);
  await sendmail.stop();
  await catcher.stop();
});
