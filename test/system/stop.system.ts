import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { connectMilter } from '../../src/milter/client.ts';
import { follow } from '../helpers/follow.ts';
import { launch } from '../helpers/launch.ts';
import * as wire from '../helpers/milter-wire.ts';
import { poll } from '../helpers/poll.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { type Service, startService } from '../helpers/service.ts';
import { hang, startWebhookServer } from '../helpers/webhook-server.ts';

const DRAIN_S = 6;

let service: Service;
let webhook: Awaited<ReturnType<typeof startWebhookServer>>;
let redis: Redis | undefined;
afterEach(async () => {
  redis?.resume();
  await service?.stop();
  await redis?.stop();
  await webhook?.close();
});

test.each([1, 2])(
  'SIGTERM with %d workers: nobody new is served, and all that has begun has the same time to end',
  async (workers) => {
    webhook = await startWebhookServer([hang]);
    service = await startService(`
    workers = ${workers}
    Milter_Listener { drain_timeout = ${DRAIN_S} }
    events { webhook = "${webhook.url}"  webhook_interval = 1 }
    ESMTP_Listener { click_tracking_enabled = on }`);
    const { status } = await follow(service.httpPort, await trackedLink());
    expect(status).toBe(302);
    await poll('a request to the webhook', () => webhook.batches.length > 0);
    const finishing = await openSession();
    await openSession(); // and says nothing more

    const begun = performance.now();
    service.signal('SIGTERM');
    await poll('the milter to be closed', () =>
      connect().then(
        ({ socket }) => void socket.destroy(),
        () => true,
      ),
    );
    await sleep((DRAIN_S * 1000) / 4);
    expect(
      await finishing.send(wire.eoh(), wire.body('https://example.com/\r\n'), wire.eob()),
    ).toContain('http://localhost');
    finishing.socket.destroy();

    expect(await service.exited()).toBe(0);
    expect(performance.now() - begun).toBeLessThan(5 * DRAIN_S * 1000);
    expect(service.log().findLast(({ sessions }) => sessions === 1)?.['msg']).toBe(
      'SMTP sessions cut off: the MTA applies its default_action',
    );
    expect(service.output()).not.toMatch(/^ +at /m);
  },
);

test.each([1, 2])(
  'what does not come to an end with %d workers is said in a line, and ends the service with 1',
  async (workers) => {
    redis = await startRedis();
    service = await startService(`
    workers = ${workers}
    Milter_Listener { drain_timeout = 0 }
    link_store = "redis"
    redis { url = "${redis.url}"  command_timeout = 10 }
    ESMTP_Listener { click_tracking_enabled = on }`);
    const link = await trackedLink();
    await follow(service.httpPort, link);
    redis.pause();
    void follow(service.httpPort, link).catch(() => {});
    await sleep(100);

    service.signal('SIGTERM');
    expect(await service.exited()).toBe(1);
    expect(service.log().at(-1)).toMatchObject({
      msg: 'shutdown incomplete: sessions or clicks may be lost',
      reason: expect.stringMatching(/^(links|counting clicks) did not end within 5000 ms$/),
    });
    expect(service.output()).not.toMatch(/^ +at /m);
  },
);

test('SIGTERM while others still start: a session that the first worker has is finished', async () => {
  const { starting, milterPort } = await launch(
    'workers = 4\nESMTP_Listener { click_tracking_enabled = on }',
  );
  const session = await poll('a session', () => openSession(milterPort).catch(() => undefined));
  starting.signal('SIGTERM');
  await sleep(100);
  expect(
    await session.send(wire.eoh(), wire.body('https://example.com/\r\n'), wire.eob()),
  ).toContain('http://localhost');
  session.socket.destroy();
  expect(await starting.exited).toBe(0);
});

async function trackedLink(): Promise<string> {
  const client = await connectMilter({ host: '127.0.0.1', port: service.milterPort });
  const sent = await client.send({
    message: Buffer.from('Subject: x\r\n\r\nhttps://example.com/\r\n'),
  });
  await client.quit();
  return /http:\/\/\S+/.exec(sent.message.toString())?.[0] ?? expect.fail('not tracked');
}

async function connect(port = service.milterPort) {
  const socket = net.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.on('error', () => {});
  let received = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    received += text;
  });
  return {
    socket,
    /** Everything received until the milter is silent. */
    async send(...packets: Buffer[]): Promise<string> {
      received = '';
      socket.write(Buffer.concat(packets));
      await poll('an answer', () => received !== '');
      await sleep(200);
      return received;
    },
  };
}

/** A session in the middle of a message. */
async function openSession(port?: number) {
  const session = await connect(port);
  await session.send(
    wire.optneg(),
    wire.connect(),
    wire.mail(),
    wire.rcpt(),
    wire.header('Subject', 'x'),
  );
  return session;
}
