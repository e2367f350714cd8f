import { afterEach, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { follow } from '../helpers/follow.ts';
import { poll } from '../helpers/poll.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { runCli } from '../helpers/run-cli.ts';
import { type Service, startService } from '../helpers/service.ts';

let redis: Redis | undefined;
let service: Service;
afterEach(async () => {
  await service.stop();
  await redis?.stop();
  redis = undefined;
});

const BROWSER = {
  'user-agent':
    'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0 (late judgement)',
};

const stores: Readonly<Record<string, () => Promise<string>>> = {
  async Redis() {
    redis = await startRedis({ args: ['--appendonly', 'yes'] });
    return `link_store = redis\nredis { url = "${redis.url}" }`;
  },
  'the journal': async () => '',
};

test.each(Object.entries(stores))(
  'a crash before clicks are counted loses none, with clicks in %s',
  async (_name, store) => {
    service = await startService(`
    ${await store()}
    events { automatic_within = 8 }
    HTTP_Listener { trusted_proxies = ( "127.0.0.1" ) }
    ESMTP_Listener { click_tracking_enabled = on }`);
    const mail = await connectMilter({ port: service.milterPort });
    const links = Array.from({ length: 6 }, (_, n) => `https://example.com/${n}`);
    const text = `Subject: x\r\n\r\n${links.join('\r\n')}\r\n`;
    const { message } = await mail.send({ message: Buffer.from(text) });
    await mail.quit();
    const tracked = message.toString().match(/http:\/\/\S+/g) ?? [];
    const click = (url: string, client: string) =>
      follow(service.httpPort, url, 'GET', { ...BROWSER, 'x-forwarded-for': client });
    for (const url of tracked) await click(url, '198.51.100.7');
    await click(tracked[0] ?? '', '203.0.113.5');
    await service.kill();

    await service.start();
    const total = await poll(
      'the clicks to be counted',
      async () => {
        const { stdout } = await runCli(['--config', service.configFile, 'report', '--json']);
        const { total } = JSON.parse(stdout.toString());
        return total.count_clicked === 7 && total;
      },
      60_000,
    );
    expect(total).toMatchObject({ people_clicked: 1, automatic_clicked: 6 });
  },
);
