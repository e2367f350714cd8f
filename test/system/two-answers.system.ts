import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { catchMail, type MailCatcher } from '../helpers/catch-mail.ts';
import { type MilterProxy, startMilterProxy } from '../helpers/milter-proxy.ts';
import { type Postfix, startPostfix } from '../helpers/postfix.ts';
import { type Sendmail, startSendmail } from '../helpers/sendmail.ts';
import { type Service, startService } from '../helpers/service.ts';
import { smtpConnect, transaction } from '../helpers/smtp-client.ts';

// How often real MTAs wait for the milter, seen by a tap between them. The tap is TCP to the MTA; what is agreed on
// is up to the socket of the service.

const tracked = `From: a@sender.test
To: b@example.net
Subject: tracked

https://shop.example/${' '}
${'x\n'.repeat(60_000)}`.replaceAll('\n', '\r\n');
const signed = tracked.replace('Subject', 'DKIM-Signature: v=1\r\nSubject');

describe.each([
  { mta: 'Postfix', over: 'TCP' },
  { mta: 'Postfix', over: 'a unix socket' },
  { mta: 'Sendmail', over: 'TCP' },
  { mta: 'Sendmail', over: 'a unix socket' },
])('$mta over $over', ({ mta, over }) => {
  let dir: string;
  let catcher: MailCatcher;
  let service: Service;
  let tap: MilterProxy;
  let postfix: Postfix | undefined;
  let sendmail: Sendmail | undefined;
  let port: number;
  /** The answers to the stages before the body: to DATA only over TCP. */
  const data = over === 'TCP' ? 'c' : '';

  beforeAll(async () => {
    dir = mkdtempSync('/run/clickmilter-');
    const path = join(dir, 'milter.sock');
    catcher = await catchMail();
    service = await startService(
      `ESMTP_Listener {
        tracking_domain = "click.test"
        recipients = single
        click_tracking_enabled = on
      }
      pathway "off.test" { click_tracking_enabled = off }
      macros { pathway = "{sender_domain}" }`,
      over === 'TCP' ? {} : { milter: path },
    );
    tap = await startMilterProxy(over === 'TCP' ? { port: service.milterPort } : { path });
    if (mta === 'Postfix') {
      postfix = await startPostfix({
        deliverTo: catcher.port,
        milters: `{ inet:127.0.0.1:${tap.port}, default_action=tempfail }`,
        main: {
          smtpd_recipient_restrictions:
            'check_recipient_access inline:{refused@example.net=REJECT}, permit_mynetworks, reject',
        },
      });
      port = postfix.port();
    } else {
      sendmail = await startSendmail({
        deliverTo: catcher.port,
        milter: `S=inet:${tap.port}@127.0.0.1, F=T, T=S:10s;R:10s;E:5m`,
        conf: 'Scheck_rcpt\nR$* refused $*\t$#error $@ 5.1.1 $: "550 refused"',
      });
      port = sendmail.port;
    }
  });

  afterAll(async () => {
    await Promise.all([postfix?.stop(), sendmail?.stop()]);
    await tap?.stop();
    await Promise.all([service?.stop(), catcher?.stop()]);
    rmSync(dir, { recursive: true });
  });

  beforeEach(() => {
    tap.seen.splice(0);
    catcher.mails.splice(0);
  });

  /** Sends two messages in one session. Returns the answers to each, without the one at OPTNEG. */
  async function answers(message: string, envelope = {}): Promise<string> {
    const client = await smtpConnect(port);
    await client.command('EHLO sender.test');
    for (let n = 0; n < 2; n++) {
      expect(await transaction(client, message, envelope)).toMatchObject({ code: 250 });
    }
    await client.quit();
    return tap.letters('milter').replace(/^O/, '');
  }

  /** Takes so many mails. Returns where the link of the last one leads to, without a token. */
  async function delivered(count: number): Promise<string | undefined> {
    let raw = '';
    for (let n = 0; n < count; n++) raw = (await catcher.take()).raw.toString();
    return /https?:\/\/[\w.]+\//.exec(raw)?.[0];
  }

  test('a tracked message waits for the end of headers and the end of the message', async () => {
    expect(await answers(tracked)).toMatch(new RegExp(`^(${data}cb+a){2}$`));
    expect(await delivered(2)).toBe('http://click.test/');
  });

  test('one that needs no body ends at the end of headers', async () => {
    expect(await answers(signed)).toBe(`${data}a`.repeat(2));
    expect(tap.letters('mta')).not.toMatch(/[BE]/);
    expect(await delivered(2)).toBe('https://shop.example/');
  });

  test('one that is off ends at the first answer', async () => {
    expect(await answers(tracked, { from: 'a@off.test' })).toBe('aa');
    expect(tap.letters('mta')).not.toMatch(over === 'TCP' ? /[LNBE]/ : /[BE]/);
    expect(await delivered(2)).toBe('https://shop.example/');
  });

  test('a refused recipient is none of the message', async () => {
    const client = await smtpConnect(port);
    await client.command('EHLO sender.test');
    await client.command('MAIL FROM:<news@sender.test>');
    const refused = '<refused@example.net>';
    expect((await client.command(`RCPT TO:${refused}`)).code).toBeGreaterThanOrEqual(500);
    await client.command('RSET');
    await client.command('MAIL FROM:<news@sender.test>');
    expect((await client.command(`RCPT TO:${refused}`)).code).toBeGreaterThanOrEqual(500);
    expect(await client.command('RCPT TO:<b@example.net>')).toMatchObject({ code: 250 });
    await client.command('DATA');
    client.write(`${tracked}.\r\n`);
    expect(await client.reply()).toMatchObject({ code: 250 });
    await client.quit();
    expect(await delivered(1)).toBe('http://click.test/');
  });
});
