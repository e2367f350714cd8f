import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { follow } from '../helpers/follow.ts';
import { poll } from '../helpers/poll.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { runCli } from '../helpers/run-cli.ts';
import { type Service, startService } from '../helpers/service.ts';

// A message with an offer and a marked unsubscribe link, of which both are followed: as readers do, by the real service.

let redis: Redis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

describe.each(['sealed', 'redis'])('with links that are %s', (linkStore) => {
  let service: Service;
  beforeAll(async () => {
    service = await startService(`
      link_store = ${linkStore}
      redis { url = "${redis.url}" }
      events { automatic_within = 0 }
      ESMTP_Listener { click_tracking_enabled = on tracking_domain = "click.test" unsubscribe_links = track }`);
  });
  afterAll(() => service?.stop());

  /** Sends to one recipient. @returns the tracked URLs, those of the offers before that of the unsubscribe link */
  async function send(recipient: string): Promise<string[]> {
    const client = await connectMilter({ host: '127.0.0.1', port: service.milterPort });
    const offers = Array.from({ length: 8 }, (_, i) => {
      return `<a href="https://shop.example/the-offer-of-this-autumn-number-${i}">x</a>`;
    });
    const leave = `<a data-msys-unsubscribe="1" href="https://shop.example/leave?u=${recipient}">x</a>`;
    const outcome = await client.send({
      sender: '<bounce@shop.example>',
      recipients: [`<${recipient}>`],
      message: Buffer.from(
        `Subject: x\r\nContent-Type: text/html\r\n\r\n${[...offers, leave].join('\r\n')}\r\n`,
      ),
    });
    await client.quit();
    const body = outcome.message.toString();
    expect(body).not.toContain('data-msys');
    return [...body.matchAll(/href="(.*?)"/g)].map(([, url = '']) => url);
  }

  /** The events of clicks on links of these recipients, by `clickmilter events`. */
  async function eventsOf(recipients: readonly string[]) {
    const { stdout } = await runCli(['--config', service.configFile, 'events']);
    const lines = stdout.toString().split('\n').filter(Boolean);
    return lines
      .map((line) => JSON.parse(line).msys.track_event)
      .filter(({ rcpt_to }) => recipients.includes(rcpt_to));
  }

  test('a click on the unsubscribe link says so, beside all that a click says', async () => {
    const recipients = Array.from({ length: 7 }, (_, i) => `reader${i}@${linkStore}.example`);
    let urls: string[] = [];
    for (const recipient of recipients) {
      urls = await send(recipient);
      for (const url of [urls[0] ?? '', urls.at(-1) ?? '']) {
        expect(url).toMatch(/^http:\/\/click\.test\//);
        expect(await follow(service.httpPort, url)).toMatchObject({ status: 302 });
      }
    }
    if (linkStore === 'redis') {
      // The last message is an instance of a template, whose records are of format 3.
      const messageId = urls[0]?.slice(
        'http://click.test/1'.length,
        'http://click.test/1'.length + 16,
      );
      expect(await redis.cli('getrange', `clickmilter:m:${messageId}`, '0', '0')).toBe('\x03');
    }
    const events = await poll('events', async () => {
      const all = await eventsOf(recipients);
      return all.length === 2 * recipients.length && all;
    });
    const seen = events.map(({ rcpt_to, type, target_link_url }) => [
      rcpt_to,
      type,
      target_link_url,
    ]);
    expect(seen.sort()).toEqual(
      recipients
        .flatMap((recipient) => [
          [recipient, 'click', 'https://shop.example/the-offer-of-this-autumn-number-0'],
          [recipient, 'link_unsubscribe', `https://shop.example/leave?u=${recipient}`],
        ])
        .sort(),
    );
    const [click, left] = ['click', 'link_unsubscribe'].map((type) =>
      events.find((event) => event.type === type),
    );
    expect(new Set(Object.keys(left))).toEqual(new Set(Object.keys(click)));
  });

  test('it is counted and forgotten as every click is', async () => {
    const recipient = `leaver@${linkStore}.example`;
    const urls = await send(recipient);
    const report = async () => {
      const args = ['--config', service.configFile, 'report', '--by', 'link', '--json'];
      return (await runCli(args)).stdout.toString();
    };
    await follow(service.httpPort, urls.at(-1) ?? '');
    await poll('the count', async () => (await report()).includes(`leave?u=${recipient}`));
    expect(await eventsOf([recipient])).toHaveLength(1);
    const forget = ['--config', service.configFile, 'forget', '--recipient', recipient];
    expect(await runCli(forget)).toMatchObject({ code: 0 });
    expect(await eventsOf([recipient])).toEqual([]);
  });
});
