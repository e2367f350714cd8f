import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connectMilter, type MilterClient } from '../../src/milter/client.ts';
import { follow } from '../helpers/follow.ts';
import { poll } from '../helpers/poll.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { type Service, startService } from '../helpers/service.ts';

// What becomes of mail and clicks while Redis does not answer, and that all recovers without a restart.

const COMMAND_TIMEOUT_S = 1;

let redis: Redis;
let service: Service;
let client: MilterClient;

beforeAll(async () => {
  redis = await startRedis();
  service = await startService(`
    link_store = redis
    redis { url = "${redis.url}" command_timeout = ${COMMAND_TIMEOUT_S} }
    ESMTP_Listener { click_tracking_enabled = on tracking_domain = "click.test" }
    pathway "accept" { on_failure = accept }
    pathway "tempfail" { on_failure = tempfail }
    pathway "seal" { on_failure = seal }
  `);
});
afterAll(async () => {
  await service?.stop();
  await redis?.stop();
});

beforeEach(async () => {
  client = await connectMilter({ host: '127.0.0.1', port: service.milterPort });
  return () => client.quit();
});

const message = Buffer.from('Subject: x\r\n\r\nhttps://example.com/target\r\n');

async function inject(pathway: string) {
  const start = performance.now();
  const result = await client.send({ message, macros: { mail: { '{auth_authen}': pathway } } });
  const [url] = /http:\/\/click\.test\/\S+/.exec(result.message.toString()) ?? [];
  return { ...result, url, seconds: (performance.now() - start) / 1000 };
}

async function trackedAgain(): Promise<string> {
  return poll('links to be stored again', async () => (await inject('tempfail')).url, 30_000);
}

describe.each([
  {
    fault: 'Redis hangs',
    begin: async () => redis.pause(),
    end: async () => redis.resume(),
  },
  {
    fault: 'Redis was killed',
    begin: async () => redis.kill(),
    end: async () => redis.start(),
  },
])('$fault', ({ begin, end }) => {
  let stored: string;
  let sealed: string | undefined;

  beforeAll(async () => {
    client = await connectMilter({ host: '127.0.0.1', port: service.milterPort });
    stored = await trackedAgain();
    await client.quit();
    await begin();
  });

  test('accept: the message goes out untouched, in seconds', async () => {
    const { answer, modifications, seconds } = await inject('accept');
    expect({ answer, modifications }).toEqual({ answer: 'accept', modifications: [] });
    expect(seconds).toBeLessThan(20 * COMMAND_TIMEOUT_S);
  });

  test('tempfail: the message is to come again, in seconds', async () => {
    const { answer, seconds } = await inject('tempfail');
    expect(answer).toMatchObject({ code: 451 });
    expect(seconds).toBeLessThan(20 * COMMAND_TIMEOUT_S);
  });

  test('seal: the message is tracked all the same, and its links work at once', async () => {
    const { url, seconds } = await inject('seal');
    sealed = url;
    expect(seconds).toBeLessThan(20 * COMMAND_TIMEOUT_S);
    expect(await follow(service.httpPort, String(url))).toEqual({
      status: 302,
      location: 'https://example.com/target',
    });
  });

  test('stored links: 503', async () => {
    expect(await follow(service.httpPort, stored)).toMatchObject({ status: 503 });
  });

  test('when it is back, everything is as before, and no click is missing', async () => {
    await end();
    await trackedAgain();
    await poll('the sealed click to reach the stream', async () =>
      (await redis.cli('XRANGE', 'clickmilter:events', '-', '+')).includes('target'),
    );
    expect(await follow(service.httpPort, String(sealed))).toMatchObject({ status: 302 });
  });
});
