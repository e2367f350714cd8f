import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { catchMail, type MailCatcher } from '../helpers/catch-mail.ts';
import { freePort } from '../helpers/free-port.ts';
import { type MilterProxy, startMilterProxy } from '../helpers/milter-proxy.ts';
import { show } from '../helpers/milter-wire.ts';
import { type Postfix, startPostfix } from '../helpers/postfix.ts';
import { type Service, startService } from '../helpers/service.ts';
import { type Envelope, send } from '../helpers/smtp-client.ts';
import { htmlOnly, type SentMessage, withoutTrace } from './messages.ts';

// Two ports, two peers, two logins are told apart by what Postfix says of itself, with nothing set in
// main.cf but smtpd_milters. A tap between the two shows what the milter was sent.

let catcher: MailCatcher;
let tap: MilterProxy;
let postfix: Postfix;
let service: Service;
/** The same scopes, but no X-MSYS-API: then nothing after MAIL can change the answer. */
let plainTap: MilterProxy;
let plainService: Service;

const scopes = (port: (name: string) => number) => `
ESMTP_Listener {
  click_tracking_enabled = off
  tracking_domain = "click.test"
  Peer "127.0.0.3" { click_tracking_enabled = on }
  Listen "*:${port('submission')}" { click_tracking_enabled = on }
  Listen "*:${port('mixed')}" {
    Peer "198.51.100.0/24" { click_tracking_enabled = on }
    Peer "198.51.100.128/25" { click_tracking_enabled = off }
    Peer "2001:db8::/32" { click_tracking_enabled = on  tracking_domain = "six.test" }
  }
}
ESMTP_Listener "bulk" { click_tracking_enabled = on  tracking_domain = "bulk.test" }
pathway_group "customers" {
  tracking_domain = "customers.test"
  click_tracking_enabled = on
  pathway "alice" { }
  pathway "bob" { click_tracking_enabled = off }
}
`;

/** Context variables of one service, one of them with a name that Sendmail would not take. */
const variables = [
  'smtpapi_click_tracking=1',
  'smtpapi_click_tracking_scheme=https',
  'smtpapi_tracking_domain=variables.test',
].join();

beforeAll(async () => {
  catcher = await catchMail();
  const milterPort = await freePort();
  const plainPort = await freePort();
  tap = await startMilterProxy({ port: milterPort });
  plainTap = await startMilterProxy({ port: plainPort });
  const plain = { smtpd_milters: `inet:127.0.0.1:${plainTap.port}` };
  postfix = await startPostfix({
    deliverTo: catcher.port,
    milters: `inet:127.0.0.1:${tap.port}`,
    services: {
      submission: {},
      mixed: {},
      bulk: { milter_macro_daemon_name: 'bulk' },
      variables: { milter_macro_defaults: variables },
      plain,
    },
  });
  const on = { milter: `127.0.0.1:${milterPort}` };
  service = await startService(
    `smtpapi { }\nmacros { long_names = on }\n${scopes(postfix.port)}`,
    on,
  );
  plainService = await startService(scopes(postfix.port), { milter: `127.0.0.1:${plainPort}` });
});

afterAll(async () => {
  await postfix?.stop();
  await Promise.all([service?.stop(), plainService?.stop(), catcher?.stop()]);
  await Promise.all([tap?.stop(), plainTap?.stop()]);
});

beforeEach(() => {
  tap.seen.splice(0);
  plainTap.seen.splice(0);
});

/** The tracking domain of the delivered message's links, or "untouched". */
async function outcome(
  name: string,
  envelope: Envelope,
  message: SentMessage = htmlOnly,
): Promise<string> {
  expect(await send(postfix.port(name), message.raw, envelope)).toMatchObject({ code: 250 });
  const delivered = withoutTrace((await catcher.take()).raw);
  if (delivered.equals(message.raw)) return 'untouched';
  const [url = ''] = message.urlsIn(delivered);
  return new URL(url).hostname;
}

describe('which scope applies', () => {
  const cases: { where: string; on: string; xclient?: Record<string, string>; domain: string }[] = [
    { where: 'a port that tracks', on: 'submission', domain: 'click.test' },
    { where: 'a port that does not', on: 'mixed', domain: 'untouched' },
    {
      where: 'a peer that is tracked there',
      on: 'mixed',
      xclient: { ADDR: '198.51.100.7' },
      domain: 'click.test',
    },
    {
      where: 'a peer in a longer prefix',
      on: 'mixed',
      xclient: { ADDR: '198.51.100.200' },
      domain: 'untouched',
    },
    {
      where: 'another peer',
      on: 'mixed',
      xclient: { ADDR: '203.0.113.7' },
      domain: 'untouched',
    },
    {
      where: 'an IPv6 peer',
      on: 'mixed',
      xclient: { ADDR: 'IPV6:2001:db8::5' },
      domain: 'six.test',
    },
    {
      where: 'a login with a pathway that tracks',
      on: 'mixed',
      xclient: { LOGIN: 'alice' },
      domain: 'customers.test',
    },
    {
      where: 'a login with a pathway that does not, on a port that does',
      on: 'submission',
      xclient: { LOGIN: 'bob' },
      domain: 'untouched',
    },
    {
      where: 'a login without a pathway',
      on: 'submission',
      xclient: { LOGIN: 'eve' },
      domain: 'click.test',
    },
    { where: 'a listener with a name', on: 'bulk', domain: 'bulk.test' },
  ];
  test.each(cases)('$where: $domain', async ({ on, xclient, domain }) => {
    expect(await outcome(on, xclient === undefined ? {} : { xclient })).toBe(domain);
  });
});

test("context variables come by Postfix's milter_macro_defaults", async () => {
  expect(await send(postfix.port('variables'), htmlOnly.raw)).toMatchObject({ code: 250 });
  const [url] = htmlOnly.urlsIn(withoutTrace((await catcher.take()).raw));
  expect(url).toMatch(/^https:\/\/variables\.test\//);
});

test('the macros for it are asked for by the milter itself', async () => {
  await outcome('submission', {});
  const [negotiated] = tap.seen.filter(({ from, letter }) => from === 'milter' && letter === 'O');
  if (negotiated === undefined) throw new Error('nothing was negotiated');
  const asked = show(negotiated);
  for (const name of ['{daemon_name}', '{daemon_addr}', '{daemon_port}', '{client_addr}']) {
    expect(asked).toContain(name);
  }
  expect(asked).toContain('{auth_authen}');
});

describe('off means off', () => {
  test('without X-MSYS-API the milter accepts at DATA and sees nothing more', async () => {
    expect(await outcome('plain', {})).toBe('untouched');
    expect(withoutMacros(plainTap)).toMatch(/^OCH?MR+T[AQ]*$/);
    expect(plainTap.letters('milter').replace('O', '')).toMatch(/^c*a$/);
  });

  test('where X-MSYS-API may decide, at the end of headers, and sees no body', async () => {
    expect(await outcome('mixed', { xclient: { LOGIN: 'eve' } })).toBe('untouched');
    // The tap saw the session before XCLIENT too.
    const last = withoutMacros(tap).split('O').at(-1);
    expect(last).toMatch(/^CH?MRT?L+N[AQ]*$/);
    expect(tap.letters('milter').endsWith('a')).toBe(true);
  });

  test('X-MSYS-API of somebody who is not logged in is left in place and ignored', async () => {
    const message = withField(htmlOnly, 'X-MSYS-API: {"options":{"click_tracking":true}}');
    expect(await outcome('mixed', {}, message)).toBe('untouched');
    expect(withoutMacros(tap)).not.toContain('B');
  });

  test('X-MSYS-API of a login switches on, and is removed', async () => {
    const message = withField(htmlOnly, 'X-MSYS-API: {"options":{"click_tracking":true}}');
    const envelope = { xclient: { LOGIN: 'eve' } };
    expect(await send(postfix.port('mixed'), message.raw, envelope)).toMatchObject({ code: 250 });
    const delivered = withoutTrace((await catcher.take()).raw);
    // Throws where the field is still there.
    expect(htmlOnly.urlsIn(delivered)[0]).toMatch(/^http:\/\/click\.test\//);
  });

  test('X-MSYS-API of a login switches off, and only it is removed', async () => {
    const message = withField(htmlOnly, 'X-MSYS-API: {"options":{"click_tracking":false}}');
    const envelope = { xclient: { LOGIN: 'eve' } };
    const reply = await send(postfix.port('submission'), message.raw, envelope);
    expect(reply).toMatchObject({ code: 250 });
    expect(withoutTrace((await catcher.take()).raw).equals(htmlOnly.raw)).toBe(true);
  });
});

/** What the MTA sent, without its macros. */
function withoutMacros(proxy: MilterProxy): string {
  return proxy.letters('mta').replaceAll('D', '');
}

/** The message with a header field more, at the end of its header. */
function withField(message: SentMessage, field: string): SentMessage {
  const text = message.raw.toString('latin1').replace('\r\n\r\n', `\r\n${field}\r\n\r\n`);
  return { ...message, raw: Buffer.from(text, 'latin1') };
}
