import { afterAll, beforeAll, expect, test } from 'vitest';
import { catchMail, type MailCatcher } from '../helpers/catch-mail.ts';
import { follow } from '../helpers/follow.ts';
import { poll } from '../helpers/poll.ts';
import { type Postfix, startPostfix } from '../helpers/postfix.ts';
import { type Service, startService } from '../helpers/service.ts';
import { type Envelope, send } from '../helpers/smtp-client.ts';
import { htmlOnly, withoutTrace } from './messages.ts';

// X-MSYS-API as Postfix hands it on: read and deleted where the sender is logged in, else left in place.

let catcher: MailCatcher;
let service: Service;
let postfix: Postfix;

beforeAll(async () => {
  catcher = await catchMail();
  service = await startService(
    'smtpapi { }\nESMTP_Listener { tracking_domain = "click.test" accept_headers = ( mailgun sendgrid ) }',
  );
  postfix = await startPostfix({
    deliverTo: catcher.port,
    milters: `{ ${service.milter}, default_action=tempfail }`,
  });
});

afterAll(async () => {
  await postfix?.stop();
  await Promise.all([service?.stop(), catcher?.stop()]);
});

const login: Envelope = { xclient: { LOGIN: 'news' } };
const on = 'X-MSYS-API: {"options":{"click_tracking":true}}';

/** Folded, also inside of a string, and in UTF-8 that RFC 2047 wraps. */
const folded = [
  'X-MSYS-API: {"options": {"click_tracking": true},',
  ' "campaign_id": "black',
  ' friday =?utf-8?q?=C3=A9t=C3=A9?=",',
  '\t"metadata": {"shop": {"id": 7}}, "tags": ["a",',
  ' "=?utf-8?B?w7w=?="]}',
].join('\r\n');

/** The message with these fields at the end of its header. */
function withFields(...fields: readonly string[]): Buffer {
  const text = htmlOnly.raw
    .toString('latin1')
    .replace('\r\n\r\n', `\r\n${fields.join('\r\n')}\r\n\r\n`);
  return Buffer.from(text, 'latin1');
}

async function delivered(message: Buffer, envelope: Envelope): Promise<Buffer> {
  expect(await send(postfix.port(), message, envelope)).toMatchObject({ code: 250 });
  return withoutTrace((await catcher.take()).raw);
}

test('of a login: what it says comes back with the click, and nothing of it goes out', async () => {
  // urlsIn throws where anything but the links differs from the message without the field.
  const [url = ''] = htmlOnly.urlsIn(await delivered(withFields(folded), login));
  expect(await follow(service.httpPort, url)).toMatchObject({ status: 302 });
  const [click] = await poll('the click', () => {
    const events = service.journal();
    return events.length > 0 && events;
  });
  expect(click?.msys.track_event).toMatchObject({
    campaign_id: 'black friday été',
    rcpt_meta: { shop: { id: 7 } },
    rcpt_tags: ['a', 'ü'],
  });
});

test('every one of several, an empty one among them, is deleted, and the fields between stay', async () => {
  const fields = ['x-msys-api:', 'X-Between: 1', on, 'X-Msys-Api: no JSON'];
  const out = (await delivered(withFields(...fields), login)).toString('latin1');
  expect(out).not.toMatch(/x-msys-api/i);
  htmlOnly.urlsIn(Buffer.from(out.replace('X-Between: 1\r\n', ''), 'latin1'));
});

test('headers of another service do the same', async () => {
  const fields = [
    'X-Mailgun-Tag: a',
    'X-SMTPAPI: {"filters":{"clicktrack":{"settings":\r\n {"enable":1}}}}',
    'X-Mailgun-Tag: b',
  ];
  const out = await delivered(withFields(...fields), login);
  expect(htmlOnly.urlsIn(out)[0]).toContain('click.test');
  expect(await delivered(withFields(...fields), {})).toEqual(withFields(...fields));
});

test('where nothing is tracked it is deleted too', async () => {
  const out = await delivered(withFields('X-MSYS-API: {"campaign_id":"x"}'), login);
  expect(out.equals(htmlOnly.raw)).toBe(true);
});

test('with more headers than Milter_Listener takes it is deleted, too, and only it', async () => {
  const others = Array.from({ length: 2_000 }, (_, n) => `X-Field: ${n}`);
  const out = await delivered(withFields(on, ...others, on), login);
  expect(out.equals(withFields(...others))).toBe(true);
});

test('that is not valid: the sender is told which field, and nothing goes out', async () => {
  const message = withFields('X-MSYS-API: {"metadata":[]}');
  expect(await send(postfix.port(), message, login)).toEqual({
    code: 550,
    text: "5.6.0 X-MSYS-API 'metadata' must be of type 'json object'",
  });
  await postfix.emptied();
  expect(catcher.mails).toEqual([]);
});

test.each([
  ['in one line', '', 70_000],
  ['in lines of 2000 bytes', '\r\n ', 2000],
])('of more than Postfix hands on, %s: not tracked, and not refused', async (_, fold, length) => {
  const json = `{"x":"${'x'.repeat(70_000)}"}`;
  const lines = json.match(new RegExp(`.{1,${length}}`, 'g')) ?? [];
  const message = withFields(`X-MSYS-API: ${lines.join(fold)}`);
  const out = await delivered(message, login);
  const body = (mail: Buffer) => mail.subarray(mail.indexOf('\r\n\r\n')).toString();
  expect(body(out)).toBe(body(message));
});

test('of a stranger: not a byte is changed', async () => {
  for (const message of [withFields(on), withFields(folded), withFields('X-MSYS-API: no JSON')]) {
    expect((await delivered(message, {})).equals(message)).toBe(true);
  }
});
