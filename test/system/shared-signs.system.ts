import { request } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { poll } from '../helpers/poll.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { type Service, startService } from '../helpers/service.ts';

let redis: Redis;
const services: Service[] = [];
afterEach(async () => {
  await Promise.all(services.splice(0).map((service) => service.stop()));
  await redis?.stop();
});

type Fields = Readonly<Record<string, unknown>>;

/** Follows a link on a connection of its own. */
function click(port: number, url: string, client: string): Promise<number> {
  const { host, pathname } = new URL(url);
  const headers = {
    host,
    connection: 'close',
    'x-forwarded-for': client,
    'user-agent':
      'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36',
  };
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', path: pathname, headers, agent: false };
    const asked = request(options, (answer) => {
      answer.resume();
      answer.once('end', () => resolve(answer.statusCode ?? 0));
    });
    asked.once('error', reject);
    asked.end();
  });
}

test('a scanner whose requests go to several workers of two services is found as by one', async () => {
  redis = await startRedis();
  const settings = (workers: number) => `
    workers = ${workers}
    link_store = redis
    redis { url = "${redis.url}" }
    events { automatic_within = 60 }
    HTTP_Listener { trusted_proxies = ( "127.0.0.1" ) }
    ESMTP_Listener { click_tracking_enabled = on }`;
  services.push(await startService(settings(2)), await startService(settings(1)));
  const [one, two] = services as [Service, Service];
  const mail = await connectMilter({ port: one.milterPort });
  const links = Array.from({ length: 9 }, (_, n) => `https://example.com/${n}`);
  const text = `Subject: x\r\n\r\n${links.join('\r\n')}\r\n`;
  const { message } = await mail.send({ message: Buffer.from(text) });
  await mail.quit();
  const tracked = message.toString().match(/http:\/\/\S+/g) ?? [];
  expect(tracked).toHaveLength(9);

  const workers = await poll('two workers', () => {
    const ready = one.log().filter(({ event }) => event === 'ready');
    return ready.length === 2 && ready.map(({ workerPid }) => Number(workerPid));
  });
  for (const [n, url] of tracked.entries()) {
    // While one of its two workers stands still, the other one accepts the connection.
    const still = workers[n % 3];
    if (still !== undefined) process.kill(still, 'SIGSTOP');
    const { httpPort } = still === undefined ? two : one;
    expect(await click(httpPort, url, '198.51.100.7')).toBe(302);
    if (still !== undefined) process.kill(still, 'SIGCONT');
    // A person, at the same time, at another address.
    if (n < 2) await click(two.httpPort, url, '203.0.113.5');
  }

  const fields = await poll('all clicks to be in the stream', async () => {
    const entries = await redis.cli('xrange', 'clickmilter:events', '-', '+');
    const events = entries.split('\n').filter((line) => line.startsWith('{"msys":'));
    const all = events.map((line): Fields => JSON.parse(line).msys.track_event);
    return all.length === 11 && all;
  });
  await poll('the log to have clicks of all three workers', () => {
    const lines = services.flatMap((service) => service.log());
    const followed = lines.filter(({ msg }) => msg === 'link followed');
    return new Set(followed.map(({ pid }) => pid)).size === 3;
  });
  const from = (ip: string) => fields.filter(({ ip_address }) => ip_address === ip);
  const scanner = from('198.51.100.7');
  expect(from('203.0.113.5').map(({ is_automatic }) => is_automatic)).toEqual([false, false]);
  expect(scanner.map(({ is_automatic }) => is_automatic)).toEqual([
    ...Array(4).fill(false),
    ...Array(5).fill(true),
  ]);
  // Once, whichever process kept the fifth click, and all that came before it.
  const named = scanner.flatMap(({ reclassifies = [] }) => reclassifies);
  expect(named).toEqual(scanner.slice(0, 4).map(({ event_id }) => event_id));
  expect(scanner.at(-1)?.['automation_reasons']).toContain('every_link');
});
