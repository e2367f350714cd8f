import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { follow } from '../helpers/follow.ts';
import { poll } from '../helpers/poll.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { runCli } from '../helpers/run-cli.ts';
import { type Service, startService } from '../helpers/service.ts';

// A recipient opts out between two messages: as an operator does it, by the real service, with and without Redis.

let redis: Redis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

describe.each(['sealed', 'redis'])('link_store = %s', (linkStore) => {
  let service: Service;
  beforeAll(async () => {
    service = await startService(`
      link_store = ${linkStore}
      redis { url = "${redis.url}" }
      ESMTP_Listener { click_tracking_enabled = on tracking_domain = "click.test" }`);
  });
  afterAll(() => service?.stop());

  /** @returns the tracked URL; undefined if the message was left alone */
  async function send(...recipients: string[]): Promise<string | undefined> {
    const client = await connectMilter({ host: '127.0.0.1', port: service.milterPort });
    const { message } = await client.send({
      recipients: recipients.map((one) => `<${one}>`),
      message: Buffer.from('Subject: x\r\n\r\nhttps://shop.example/a\r\n'),
    });
    await client.quit();
    return /http:\/\/click\.test\/\S+/.exec(message.toString())?.[0];
  }
  const clickmilter = async (...args: string[]) => {
    const { code, stdout } = await runCli(['--config', service.configFile, ...args]);
    expect(code).toBe(0);
    return stdout.toString();
  };

  test('mail is left alone, and clicks on older links are not attributed, until it is undone', async () => {
    const ada = 'Ada@reader.example';
    const old = await send(ada);
    expect(await clickmilter('optout', 'ada@reader.example')).toBe('1 opted out\n');
    await poll('the opt-out', async () => (await send(ada)) === undefined);
    expect(await send('b@reader.example', ada)).toBeUndefined();
    expect(await send('b@reader.example')).toBeDefined();
    await poll('the log', () => service.output().includes('"reason":"recipient-opted-out"'));

    expect(await follow(service.httpPort, String(old))).toMatchObject({ status: 302 });
    const events = await clickmilter('events');
    expect(events.trim().split('\n')).toHaveLength(1);
    expect(events).not.toMatch(/ada@|rcpt_to/i);
    expect(JSON.parse(events).msys.track_event).toMatchObject({
      target_link_url: 'https://shop.example/a',
      click_identity: 'none',
    });

    expect(await clickmilter('optout', '--undo', ada)).toBe('1 tracked again\n');
    expect(await send(ada)).toBeDefined();
  });
});
