import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { follow } from '../helpers/follow.ts';
import { poll } from '../helpers/poll.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { runCli } from '../helpers/run-cli.ts';
import { type Service, startService } from '../helpers/service.ts';

let redis: Redis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

const OLD = 'https://shop.example/wrong?id=1';
const NEW = 'https://shop.example/right#top';

/** Sends a message with one link. @returns its tracked URL */
async function send(service: Service): Promise<string> {
  const client = await connectMilter({ host: '127.0.0.1', port: service.milterPort });
  const outcome = await client.send({
    sender: '<bounce@shop.example>',
    recipients: ['<reader@example.net>'],
    message: Buffer.from(`Content-Type: text/html\r\n\r\n<a href="${OLD}">x</a>\r\n`),
  });
  await client.quit();
  return /href="(.*?)"/.exec(outcome.message.toString())?.[1] ?? '';
}

// With Redis two hosts share the store; without, one host has two workers.
test.each([
  { linkStore: 'sealed', hosts: 1, workers: 2 },
  { linkStore: 'redis', hosts: 2, workers: 1 },
])(
  'with links that are $linkStore, a link leads elsewhere from the next request on',
  async ({ linkStore, hosts, workers }) => {
    const services: Service[] = [];
    try {
      while (services.length < hosts) {
        services.push(
          await startService(`
        link_store = ${linkStore}  workers = ${workers}
        redis { url = "${redis.url}" }
        ESMTP_Listener {
          click_tracking_enabled = on  tracking_domain = "click.test"  append_query = "utm_source=news"
        }`),
        );
      }
      const [service] = services as [Service];
      const [one, other] = [await send(service), await send(service)];
      const retarget = async (...args: string[]) => {
        const { code, stdout } = await runCli([
          '--config',
          service.configFile,
          'retarget',
          ...args,
        ]);
        expect(code).toBe(0);
        return stdout.toString();
      };
      let clicks = 0;
      // Several requests, so that all workers answer some.
      const expectAt = async (url: string, location: string) => {
        for (const { httpPort } of services) {
          for (let request = 0; request < 4; request++) {
            expect(await follow(httpPort, url)).toEqual({ status: 302, location });
            clicks++;
          }
        }
      };
      const appended = `${OLD}&utm_source=news`;
      await expectAt(one, appended);
      expect(await retarget(one, NEW, '--why', 'typing error')).toContain(`leads to ${NEW}\n`);
      await expectAt(one, NEW);
      await expectAt(other, appended);
      await retarget(other, 'https://shop.example/everywhere', '--everywhere');
      await expectAt(one, NEW);
      await expectAt(other, 'https://shop.example/everywhere');
      await retarget(one, '--undo');
      await expectAt(one, 'https://shop.example/everywhere');
      await retarget(OLD, '--everywhere', '--undo');
      await expectAt(one, appended);
      expect(await retarget('--list')).toBe('no retargets\n');

      const events = await poll('events', async () => {
        const { stdout } = await runCli(['--config', service.configFile, 'events']);
        const lines = stdout.toString().split('\n').filter(Boolean);
        const all = lines.map((line) => JSON.parse(line).msys.track_event);
        return all.reduce((sum, { repeat_count: n = 1 }) => sum + n, 0) === clicks && all;
      });
      expect(new Set(events.map((event) => event.target_link_url))).toEqual(new Set([OLD]));
      expect(new Set(events.map((event) => event.redirected_to))).toEqual(
        new Set([undefined, NEW, 'https://shop.example/everywhere']),
      );
    } finally {
      await Promise.all(services.map((service) => service.stop()));
    }
  },
);
