import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { catchMail, type MailCatcher } from '../helpers/catch-mail.ts';
import { follow } from '../helpers/follow.ts';
import { freePort } from '../helpers/free-port.ts';
import {
  type MilterProxy,
  type MilterProxyOptions,
  startMilterProxy,
} from '../helpers/milter-proxy.ts';
import { type Postfix, startPostfix } from '../helpers/postfix.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { type Service, startService } from '../helpers/service.ts';
import { send } from '../helpers/smtp-client.ts';
import { htmlOnly, withoutTrace } from './messages.ts';

// Redis goes away in mid-message, by a kill and by hanging: on_failure decides, and nothing else changes.

let redis: Redis;
let catcher: MailCatcher;
let tap: MilterProxy;
let postfix: Postfix;
let service: Service;
/** What the tap does in the test at hand. */
let tapping: MilterProxyOptions = {};

beforeAll(async () => {
  redis = await startRedis();
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
    services: { accept: {}, tempfail: {}, seal: {} },
  });
  const listen = ['tempfail', 'seal'].map(
    (action) => `Listen "*:${postfix.port(action)}" { on_failure = ${action} }`,
  );
  service = await startService(
    `link_store = redis
redis { url = "${redis.url}"  connect_timeout = 1  command_timeout = 1 }
ESMTP_Listener {
  click_tracking_enabled = on
  tracking_domain = "click.test"
  ${listen.join('\n  ')}
}`,
    { milter: `127.0.0.1:${milterPort}` },
  );
});

afterAll(async () => {
  await postfix?.stop();
  await Promise.all([service?.stop(), redis?.stop(), catcher?.stop()]);
  await tap?.stop();
});

beforeEach(() => {
  tapping = {};
});

const records = async () => (await redis.cli('--scan', '--pattern', 'clickmilter:m:*')).split('\n');

/** Sends the message; gives the reply's code, and the URLs of what was delivered, none where it is untouched. */
async function sendTo(port: string): Promise<{ code: number; urls?: string[] }> {
  const { code } = await send(postfix.port(port), htmlOnly.raw);
  if (code !== 250) return { code };
  const delivered = withoutTrace((await catcher.take()).raw);
  return { code, urls: delivered.equals(htmlOnly.raw) ? [] : htmlOnly.urlsIn(delivered) };
}

/** While Redis is away, what is sent on each port? Afterwards everything must be as before. */
async function expectByPort(): Promise<void> {
  expect(await sendTo('accept')).toEqual({ code: 250, urls: [] });
  expect(await sendTo('tempfail')).toEqual({ code: 451 });
  const sealed = await sendTo('seal');
  expect(sealed.urls).toHaveLength(htmlOnly.targets.length);
  for (const [n, url] of (sealed.urls ?? []).entries()) {
    const answer = await follow(service.httpPort, url);
    expect(answer).toEqual({ status: 302, location: htmlOnly.targets[n] });
  }
}

test('the record is in Redis before anything of the answer at the end of the message leaves', async () => {
  const before = await redis.cli('keys', 'clickmilter:m:*');
  const known: string[][] = [];
  let ended = false;
  tapping = {
    fromMta: (one) => {
      if (one.letter === 'E') ended = true;
    },
    fromMilter: async () => {
      // The packet waits in the tap meanwhile: Postfix has heard nothing yet.
      if (ended) known.push(await records());
    },
  };
  expect(before).toBe('');
  const { urls } = await sendTo('accept');
  expect(known.length).toBeGreaterThan(0);
  for (const keys of known) expect(keys).toEqual([expect.stringMatching(/^clickmilter:m:./)]);
  for (const [n, url] of (urls ?? []).entries()) {
    const answer = await follow(service.httpPort, url);
    expect(answer).toEqual({ status: 302, location: htmlOnly.targets[n] });
  }
  expect(await records(), 'one record a message').toHaveLength(1);
});

describe.each([
  { how: 'killed', away: () => redis.kill(), back: () => redis.start() },
  { how: 'hanging', away: async () => redis.pause(), back: async () => redis.resume() },
])('Redis $how in mid-message', ({ away, back }) => {
  test.each([
    { letter: 'M', moment: 'at mail' },
    { letter: 'B', moment: 'at the body' },
    { letter: 'E', moment: 'at the end of the message' },
  ])('$moment: delivered untouched, and the next ones as their scopes say', async ({ letter }) => {
    let gone = false;
    tapping = {
      fromMta: async (one) => {
        if (one.letter === letter && !gone) {
          gone = true;
          await away();
        }
      },
    };
    try {
      expect(await sendTo('accept')).toEqual({ code: 250, urls: [] });
      expect(gone).toBe(true);
      await expectByPort();
    } finally {
      await back();
    }
    await expect
      .poll(async () => (await sendTo('tempfail')).urls?.length)
      .toBe(htmlOnly.targets.length);
    expect(catcher.mails).toEqual([]);
    await postfix.emptied();
    expect(await postfix.corrupt()).toEqual([]);
  });
});

test('a link whose Redis is away answers 503, and works again afterwards', async () => {
  const { urls: [url = ''] = [] } = await sendTo('accept');
  redis.pause();
  try {
    expect(await follow(service.httpPort, url)).toMatchObject({ status: 503 });
  } finally {
    redis.resume();
  }
  await expect
    .poll(async () => (await follow(service.httpPort, url)).location)
    .toBe(htmlOnly.targets[0]);
});
