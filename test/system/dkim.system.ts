import { afterAll, beforeAll, expect, test } from 'vitest';
import { catchMail, type MailCatcher } from '../helpers/catch-mail.ts';
import { type Opendkim, startOpendkim } from '../helpers/opendkim.ts';
import { type Postfix, startPostfix } from '../helpers/postfix.ts';
import { type Service, startService } from '../helpers/service.ts';
import { send } from '../helpers/smtp-client.ts';
import { alternative } from './messages.ts';

// Links are tracked before the signer signs, as the README says, and what was signed before is left alone.

let catcher: MailCatcher;
let dkim: Opendkim;
let service: Service;
let postfix: Postfix;

beforeAll(async () => {
  catcher = await catchMail();
  dkim = await startOpendkim('sender.test');
  service = await startService(
    'ESMTP_Listener { click_tracking_enabled = on  tracking_domain = "click.test" }',
  );
  const clickmilter = `{${service.milter},default_action=tempfail}`;
  postfix = await startPostfix({
    deliverTo: catcher.port,
    services: {
      right: { smtpd_milters: `${clickmilter},${dkim.signer}` },
      signOnly: { smtpd_milters: dkim.signer },
      trackOnly: { smtpd_milters: clickmilter },
      verify: { smtpd_milters: dkim.verifier },
    },
  });
});

afterAll(async () => {
  await postfix?.stop();
  await Promise.all([service?.stop(), dkim?.stop(), catcher?.stop()]);
});

/** The message after a way through one of the services. */
async function through(name: string, message: Buffer): Promise<Buffer> {
  expect(await send(postfix.port(name), message)).toMatchObject({ code: 250 });
  return (await catcher.take()).raw;
}

/** The verifier's word on the message. */
async function verdict(message: Buffer): Promise<string | undefined> {
  const verified = await through('verify', message);
  return /^Authentication-Results:[\s\S]*?\bdkim=(\w+)/m.exec(verified.toString())?.[1];
}

test('tracked first, signed second: the signature is good', async () => {
  const message = await through('right', alternative.raw);
  expect(message.toString()).toContain('http://click.test/');
  expect(message.toString()).toContain('DKIM-Signature:');
  expect(await verdict(message)).toBe('pass');
});

test('signed before it comes: left as it is, and the signature is still good', async () => {
  const signed = await through('signOnly', alternative.raw);
  const message = await through('trackOnly', signed);
  expect(message.toString()).not.toContain('http://click.test/');
  expect(message.subarray(-signed.length).equals(signed)).toBe(true);
  expect(await verdict(message)).toBe('pass');
});

test('the verifier does notice a change', async () => {
  const signed = await through('signOnly', alternative.raw);
  const changed = Buffer.from(signed.toString('latin1').replace('a link', 'a lure'), 'latin1');
  expect(await verdict(changed)).toBe('fail');
});
