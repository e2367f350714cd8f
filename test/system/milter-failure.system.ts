import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { catchMail, type MailCatcher } from '../helpers/catch-mail.ts';
import { freePort } from '../helpers/free-port.ts';
import {
  type MilterProxy,
  type MilterProxyOptions,
  startMilterProxy,
} from '../helpers/milter-proxy.ts';
import { type Postfix, startPostfix } from '../helpers/postfix.ts';
import { type Service, startService } from '../helpers/service.ts';
import { send, smtpConnect, transaction } from '../helpers/smtp-client.ts';
import { alternative, mixed, type SentMessage, withoutTrace } from './messages.ts';

// Whatever moment the milter dies at, with the settings that the README recommends the sender is told to try
// again, nothing half-changed is delivered, nothing is lost, and the next try succeeds.

let catcher: MailCatcher;
let tap: MilterProxy;
let postfix: Postfix;
let service: Service;
/** What the tap does in the test at hand. */
let tapping: MilterProxyOptions = {};

beforeAll(async () => {
  catcher = await catchMail();
  const milterPort = await freePort();
  tap = await startMilterProxy(
    { port: milterPort },
    {
      fromMta: (one) => tapping.fromMta?.(one),
      fromMilter: (one) => tapping.fromMilter?.(one),
    },
  );
  postfix = await startPostfix({
    deliverTo: catcher.port,
    milters: `{ inet:127.0.0.1:${tap.port}, default_action=tempfail }`,
    services: {
      smtp: {},
      hurried: {
        smtpd_milters: `{inet:127.0.0.1:${tap.port},default_action=tempfail,connect_timeout=2s,command_timeout=2s,content_timeout=2s}`,
      },
    },
  });
  service = await startService(
    'smtpapi { }\nESMTP_Listener { click_tracking_enabled = on  tracking_domain = "click.test"  accept_x_msys_api = any }',
    { milter: `127.0.0.1:${milterPort}` },
  );
});

afterAll(async () => {
  await postfix?.stop();
  await Promise.all([service?.stop(), catcher?.stop()]);
  await tap?.stop();
});

beforeEach(async () => {
  tapping = {};
  await service.start();
});

/** The large message again, with a field that the milter deletes before it replaces the body. */
const withSmtpapi: SentMessage = {
  ...mixed,
  raw: Buffer.concat([Buffer.from('X-MSYS-API: {"campaign_id":"x"}\r\n'), mixed.raw]),
};

/** The message is refused for now, nothing of it comes out, and sent again it is tracked. */
async function expectDeferred(message: SentMessage): Promise<void> {
  const reply = await send(postfix.port(), message.raw);
  expect(reply.code, reply.text).toBe(451);
  tapping = {};
  await service.start();
  expect(await send(postfix.port(), message.raw)).toMatchObject({ code: 250 });
  await expectTracked(message);
  expect(catcher.mails).toEqual([]);
  await postfix.emptied();
  expect(await postfix.corrupt()).toEqual([]);
}

async function expectTracked(message: SentMessage): Promise<void> {
  const { raw } = await catcher.take();
  const urls = message.urlsIn(withoutTrace(raw));
  expect(urls.every((url) => url.startsWith('http://click.test/'))).toBe(true);
}

describe('kill -9 of the milter', () => {
  test('before the connection', async () => {
    await service.kill();
    await expectDeferred(alternative);
  });

  // HELO is not asked for, so that there is no such moment.
  test.each([
    { moment: 'at negotiation', letter: 'O' },
    { moment: 'at connect', letter: 'C' },
    { moment: 'at mail', letter: 'M' },
    { moment: 'at rcpt', letter: 'R' },
    { moment: 'at data', letter: 'T' },
    { moment: 'at a header', letter: 'L' },
    { moment: 'at the end of headers', letter: 'N' },
    { moment: 'at the body', letter: 'B' },
    { moment: 'at the end of the message', letter: 'E' },
  ])('$moment', async ({ letter }) => {
    let killed = false;
    tapping = {
      fromMta: async (one) => {
        if (one.letter !== letter || killed) return 'pass';
        killed = true;
        await service.kill();
        return 'cut';
      },
    };
    await expectDeferred(alternative);
    expect(killed).toBe(true);
  });

  test('while it works at the end of the message', async () => {
    tapping = {
      fromMta: (one) => {
        if (one.letter !== 'E') return 'pass';
        service.signal('SIGSTOP');
        setImmediate(() => service.kill());
        return 'pass';
      },
    };
    await expectDeferred(mixed);
  });

  test.each([
    { moment: 'in the first packet of the new body', packet: 1, cutAfter: 1000 },
    { moment: 'in the header of a packet', packet: 2, cutAfter: 3 },
    { moment: 'between two packets', packet: 3, cutAfter: 65_540 },
    { moment: 'deep in the new body', packet: 40, cutAfter: 30_000 },
  ])('$moment', async ({ packet, cutAfter }) => {
    let count = 0;
    tapping = {
      fromMilter: (one) => {
        if (one.letter !== 'b') return 'pass';
        count += 1;
        if (count !== packet) return 'pass';
        void service.kill();
        return { cutAfter };
      },
    };
    await expectDeferred(withSmtpapi);
    expect(count).toBeGreaterThanOrEqual(packet);
  });

  test('after a header field was deleted, before the new body', async () => {
    let deleted = false;
    tapping = {
      fromMilter: (one) => {
        if (one.letter === 'm') deleted = true;
        if (one.letter !== 'b' || !deleted) return 'pass';
        void service.kill();
        return 'cut';
      },
    };
    await expectDeferred(withSmtpapi);
    expect(deleted).toBe(true);
  });

  test('after the whole new body, before the final reply', async () => {
    let bodies = 0;
    tapping = {
      fromMilter: (one) => {
        if (one.letter === 'b') bodies += 1;
        if (bodies === 0 || one.letter === 'b') return 'pass';
        void service.kill();
        return 'cut';
      },
    };
    await expectDeferred(withSmtpapi);
    expect(bodies).toBeGreaterThan(40);
  });
});

test('kill -9 between two messages of a session: the second is deferred, the first was delivered', async () => {
  const client = await smtpConnect(postfix.port());
  await client.command('EHLO sender.test');
  expect(await transaction(client, alternative.raw)).toMatchObject({ code: 250 });
  await expectTracked(alternative);
  await service.kill();
  expect(await transaction(client, alternative.raw)).toMatchObject({ code: 451 });
  await client.quit();
  await service.start();
  expect(await send(postfix.port(), alternative.raw)).toMatchObject({ code: 250 });
  await expectTracked(alternative);
});

test('SIGTERM in mid-message: what has begun is finished, and tracked', async () => {
  let told = false;
  tapping = {
    fromMta: (one) => {
      if (one.letter === 'B' && !told) {
        told = true;
        service.signal('SIGTERM');
      }
      return 'pass';
    },
  };
  expect(await send(postfix.port(), mixed.raw)).toMatchObject({ code: 250 });
  expect(told).toBe(true);
  await expectTracked(mixed);
});

test('a milter that hangs is given up after the time-out, and the message is deferred', async () => {
  service.signal('SIGSTOP');
  try {
    const reply = await send(postfix.port('hurried'), alternative.raw);
    expect(reply.code, reply.text).toBe(451);
  } finally {
    service.signal('SIGCONT');
  }
  expect(await send(postfix.port('hurried'), alternative.raw)).toMatchObject({ code: 250 });
  await expectTracked(alternative);
});
