import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { follow } from '../helpers/follow.ts';
import { poll } from '../helpers/poll.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { runCli } from '../helpers/run-cli.ts';
import { startService } from '../helpers/service.ts';

let redis: Redis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

const TARGETS = [
  'https://shop.example/a?id=1#top',
  'https://shop.example/b',
  'https://files.example/c',
];

test.each(['sealed', 'redis'])(
  'with links that are %s, readers get the parameters, mail and events the target as written',
  async (linkStore) => {
    const service = await startService(`
      link_store = ${linkStore}
      redis { url = "${redis.url}" }
      smtpapi { }
      ESMTP_Listener {
        click_tracking_enabled = on  tracking_domain = "click.test"  accept_x_msys_api = any
        append_query = "utm_campaign={campaign_id}&utm_content={link_name}&utm_term={pathway}&id={message_id}"
        exclude_append = "files.example"  pathway = "shop"
      }
      pathway "shop" { }`);
    try {
      const client = await connectMilter({ host: '127.0.0.1', port: service.milterPort });
      const links = TARGETS.map(
        (target) => `<a data-msys-linkname="A &amp; B" href="${target}">x</a>`,
      );
      const outcome = await client.send({
        sender: '<bounce@shop.example>',
        recipients: ['<reader@example.net>'],
        message: Buffer.from(
          `X-MSYS-API: {"campaign_id":"Autumn \u00fc/1"}\r\nContent-Type: text/html\r\n\r\n${links.join('\r\n')}\r\n`,
        ),
      });
      await client.quit();
      const urls = [...outcome.message.toString().matchAll(/href="(.*?)"/g)].map(
        ([, url]) => url ?? '',
      );
      const followed = await Promise.all(urls.map((url) => follow(service.httpPort, url)));
      const events = await poll('events', async () => {
        const { stdout } = await runCli(['--config', service.configFile, 'events']);
        const lines = stdout.toString().split('\n').filter(Boolean);
        return (
          lines.length === TARGETS.length && lines.map((line) => JSON.parse(line).msys.track_event)
        );
      });
      expect(events.map((event) => event.target_link_url).sort()).toEqual([...TARGETS].sort());
      const { message_id: id } = events[0];
      const utm = 'utm_campaign=Autumn%20%C3%BC%2F1&utm_content=A%20%26%20B&utm_term=shop';
      expect(followed.map(({ location }) => location)).toEqual([
        `https://shop.example/a?id=1&${utm}#top`,
        `https://shop.example/b?${utm}&id=${id}`,
        'https://files.example/c',
      ]);
      const shown = await runCli(['--config', service.configFile, 'link', urls[1] ?? '', '--json']);
      expect(JSON.parse(shown.stdout.toString())).toMatchObject({
        target: TARGETS[1],
        leads_to: followed[1]?.location,
      });
    } finally {
      await service.stop();
    }
  },
);
