import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { catchMail, type MailCatcher } from '../helpers/catch-mail.ts';
import { follow } from '../helpers/follow.ts';
import { poll } from '../helpers/poll.ts';
import { type Postfix, startPostfix } from '../helpers/postfix.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { type ClickEvent, type Service, startService } from '../helpers/service.ts';
import { send } from '../helpers/smtp-client.ts';
import { messages, withoutTrace } from './messages.ts';

// The main job, end to end: mail goes in through real Postfix, tracked links come out, a click is
// redirected and recorded.

const tracking = `
ESMTP_Listener {
  click_tracking_enabled = on
  tracking_domain = "click.test"
}
`;

describe.each([
  { over: 'TCP', store: 'sealed' },
  { over: 'a unix socket', store: 'redis' },
])('over $over, links $store', ({ over, store }) => {
  let redis: Redis;
  let catcher: MailCatcher;
  let service: Service;
  let postfix: Postfix;

  beforeAll(async () => {
    catcher = await catchMail();
    redis = await startRedis();
    const kept = store === 'sealed' ? '' : `link_store = redis\nredis { url = "${redis.url}" }\n`;
    if (over === 'TCP') {
      service = await startService(kept + tracking);
      postfix = await startPostfix({
        deliverTo: catcher.port,
        milters: `{ ${service.milter}, default_action=tempfail }`,
      });
    } else {
      postfix = await startPostfix({
        deliverTo: catcher.port,
        milters: '{ unix:clickmilter/milter.sock, default_action=tempfail }',
        chroot: true,
      });
      mkdirSync(join(postfix.queueDirectory, 'clickmilter'));
      const milter = join(postfix.queueDirectory, 'clickmilter/milter.sock');
      service = await startService(kept + tracking, { milter });
    }
  });

  afterAll(async () => {
    await postfix?.stop();
    await service?.stop();
    await redis?.stop();
    await catcher?.stop();
  });

  const events = async (): Promise<ClickEvent[]> => {
    if (store === 'sealed') return service.journal();
    const entries = await redis.cli('--json', 'XRANGE', 'clickmilter:events', '-', '+');
    return (JSON.parse(entries) as [string, [string, string]][]).map(([, [, json]]) =>
      JSON.parse(json),
    );
  };

  test.each(messages)('$name', async (message) => {
    const before = (await events()).length;
    const to = `${message.targets.length}.${before}@example.net`;
    expect(await send(postfix.port(), message.raw, { to })).toMatchObject({ code: 250 });
    const mail = await catcher.take();
    expect(mail.to).toEqual([to]);

    const urls = message.urlsIn(withoutTrace(mail.raw));
    for (const url of urls) expect(url).toMatch(/^http:\/\/click\.test\/[A-Za-z0-9_-]+$/);
    const answers = [];
    for (const url of urls) {
      expect(await follow(service.httpPort, url, 'HEAD')).toMatchObject({ status: 302 });
      answers.push(await follow(service.httpPort, url));
    }
    expect(answers).toEqual(message.targets.map((location) => ({ status: 302, location })));

    const clicks = await poll('the clicks to be recorded', async () => {
      const all = await events();
      return all.length >= before + urls.length && all.slice(before);
    });
    const told = clicks.map(({ msys }) => msys.track_event);
    expect(told.map((event) => event['target_link_url'])).toEqual(message.targets);
    expect(told.map((event) => event['rcpt_to'])).toEqual(urls.map(() => to));
    expect(told.map((event) => event['type'])).toEqual(urls.map(() => 'click'));
  });

  test('the log says what was done with each message', async () => {
    const lines = await poll('a line for each message', () => {
      const found = service.log().filter((line) => line['verdict'] !== undefined);
      return found.length >= messages.length && found;
    });
    expect(lines.map((line) => [line['verdict'], line['tracked']])).toEqual(
      messages.map(({ targets }) => ['tracked', targets.length]),
    );
    expect(lines.every((line) => /^[0-9A-F]+$/.test(String(line['queueId'])))).toBe(true);
  });

  test('links outlive a restart, and a token of somebody else leads nowhere', async () => {
    const [message] = messages;
    if (message === undefined) throw new Error('no message');
    await send(postfix.port(), message.raw);
    const [url = ''] = message.urlsIn(withoutTrace((await catcher.take()).raw));
    await service.kill();
    await service.start();
    expect(await follow(service.httpPort, url)).toEqual({
      status: 302,
      location: message.targets[0],
    });
    // Somewhere in the middle: the last character may hold no more than two bits.
    const at = url.length - 5;
    const forged = `${url.slice(0, at)}${url[at] === 'A' ? 'B' : 'A'}${url.slice(at + 1)}`;
    expect(await follow(service.httpPort, forged)).toMatchObject({ status: 404 });
  });
});
