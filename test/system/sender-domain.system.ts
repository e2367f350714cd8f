import { expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { follow } from '../helpers/follow.ts';
import { startRedis } from '../helpers/redis.ts';
import { startService } from '../helpers/service.ts';

test('copies of a newsletter by two customers lead to the domain of each', async () => {
  const redis = await startRedis();
  const service = await startService(`link_store = redis
redis { url = "${redis.url}" }
ESMTP_Listener { click_tracking_enabled = on tracking_domain = "click.{sender_domain}"
  tracking_domains_allowed = ( "click.a.example" "click.b.example" ) }`);
  try {
    const client = await connectMilter({ port: service.milterPort });
    for (let copy = 0; copy < 30; copy++) {
      const customer = copy % 2 === 0 ? 'a.example' : 'b.example';
      const html = Array.from(
        { length: 20 },
        (_, i) => `<a href="https://shop.example/${i}">x</a>\r\n`,
      ).join('');
      const message = Buffer.from(
        `Content-Type: text/html\r\n\r\n${html}<a href="https://shop.example/u?${copy}">y</a>\r\n`,
      );
      const result = await client.send({ sender: `news@${customer}`, message });
      const links = result.message.toString().match(/http:\/\/click[^"]*/g) ?? [];
      expect(links).toHaveLength(21);
      for (const link of [links[0], links[20]]) {
        expect(new URL(link ?? '').host).toBe(`click.${customer}`);
        expect((await follow(service.httpPort, link ?? '')).status).toBe(302);
        const other = (link ?? '').replace(
          customer,
          customer === 'a.example' ? 'b.example' : 'a.example',
        );
        expect((await follow(service.httpPort, other)).status).toBe(404);
      }
    }
    await client.quit();
  } finally {
    await service.stop();
    await redis.stop();
  }
});
