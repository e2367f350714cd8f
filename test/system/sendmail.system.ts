import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { catchMail, type MailCatcher } from '../helpers/catch-mail.ts';
import { follow } from '../helpers/follow.ts';
import { type Sendmail, startSendmail } from '../helpers/sendmail.ts';
import { type Service, startService } from '../helpers/service.ts';
import { send } from '../helpers/smtp-client.ts';
import { messages, withoutTrace } from './messages.ts';

// The main job with Sendmail in the place of Postfix, as INPUT_MAIL_FILTER makes it call.

describe.each(['TCP', 'a unix socket'])('over %s', (over) => {
  let dir: string;
  let catcher: MailCatcher;
  let service: Service;
  let sendmail: Sendmail;

  beforeAll(async () => {
    // Sendmail opens no socket below a folder that others may write to, as /tmp is.
    dir = mkdtempSync('/run/clickmilter-');
    const path = join(dir, 'milter.sock');
    catcher = await catchMail();
    // Port and peer come by the macros that the milter asks for: Sendmail sends neither by itself.
    service = await startService(
      `smtpapi { }
      ESMTP_Listener "MTA" {
        accept_x_msys_api = any
        tracking_domain = "click.test"
        Peer "127.0.0.0/8" { click_tracking_enabled = on }
      }`,
      over === 'TCP' ? {} : { milter: path },
    );
    const socket = over === 'TCP' ? `inet:${service.milterPort}@127.0.0.1` : `unix:${path}`;
    sendmail = await startSendmail({
      deliverTo: catcher.port,
      milter: `S=${socket}, F=T, T=C:10s;S:10s;R:10s;E:5m`,
    });
  });

  afterAll(async () => {
    await sendmail?.stop();
    await Promise.all([service?.stop(), catcher?.stop()]);
    rmSync(dir, { recursive: true });
  });

  test.each(messages)('$name', async (message) => {
    expect(await send(sendmail.port, message.raw)).toMatchObject({ code: 250 });
    const urls = message.urlsIn(withoutTrace((await catcher.take()).raw));
    const answers = [];
    for (const url of urls) answers.push(await follow(service.httpPort, url));
    expect(answers).toEqual(message.targets.map((location) => ({ status: 302, location })));
  });

  test('every X-MSYS-API is deleted, and the fields between stay', async () => {
    const [message] = messages;
    if (message === undefined) throw new Error('no message');
    const fields = 'x-msys-api: {}\r\nX-Between: 1\r\nX-MSYS-API: {"campaign_id":\r\n "x"}';
    const raw = message.raw.toString('latin1').replace('\r\n\r\n', `\r\n${fields}\r\n\r\n`);
    expect(await send(sendmail.port, raw)).toMatchObject({ code: 250 });
    const delivered = withoutTrace((await catcher.take()).raw).toString('latin1');
    expect(delivered).not.toMatch(/x-msys-api/i);
    const rest = Buffer.from(delivered.replace('X-Between: 1\r\n', ''), 'latin1');
    expect(message.urlsIn(rest)).toHaveLength(message.targets.length);
  });

  test('with the milter gone, the sender is told to try again', async () => {
    const [message] = messages;
    if (message === undefined) throw new Error('no message');
    await service.kill();
    expect((await send(sendmail.port, message.raw)).code).toBe(451);
    await service.start();
    expect(await send(sendmail.port, message.raw)).toMatchObject({ code: 250 });
    const { raw } = await catcher.take();
    expect(message.urlsIn(withoutTrace(raw))).toHaveLength(message.targets.length);
  });
});
