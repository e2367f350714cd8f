import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis as RedisClient } from 'ioredis';
import { newsletter } from '../../helpers/newsletter.ts';
import type { Redis } from '../../helpers/redis.ts';
import type { Part } from '../harness.ts';
import { Mta } from '../mta.ts';
import { type Message, Recording } from '../recording.ts';
import { startService } from '../service.ts';

const LINKS = 30;
const OF_THE_RECIPIENT = 2;
const RECIPIENTS = 10_000;
const BATCH = 500;
/** Counters of a batch are written at most this much later, milliseconds. */
const SETTLE = 2_000;

/** What a newsletter leaves in Redis: memory and commands. */
export const store: Part = {
  name: 'store',
  async run(bench) {
    const redis = await bench.redis();
    const service = await startService(bench, 'clickmilter', { redis });
    const recipients = bench.options.quick ? BATCH : RECIPIENTS;
    const mta = await Mta.open(service.socket, 8);
    await mta.send([toRecipient(0)], { messages: 8 });
    await sleep(SETTLE);

    const before = await usage(redis);
    for (let first = 0; first < recipients; first += BATCH) {
      const batch = Array.from({ length: BATCH }, (_, i) => toRecipient(first + i));
      const { replaced } = await mta.send(batch, { messages: BATCH });
      if (replaced !== BATCH) throw new Error(`${BATCH - replaced} messages were not tracked`);
    }
    mta.close();
    await sleep(SETTLE);
    const after = await usage(redis);
    const record = (after.bytes - before.bytes) / recipients / LINKS;
    const commands = (after.commands - before.commands) / recipients;

    const ours = { who: 'one record a message', value: record, unit: 'B' };
    const keys = {
      who: 'a key for each link',
      value: await withKeys(redis, recipients),
      unit: 'B',
    };
    return [
      { what: 'store: bytes a link', ours, ratio: record, goal: { atMost: 30 } },
      { what: 'store: bytes a link', ours, beside: keys, ratio: record / keys.value },
      {
        what: 'store: Redis commands a message',
        ours: { who: 'clickmilter', value: commands, unit: '' },
        ratio: commands,
        goal: { atMost: 1.05 },
      },
    ];
  },
};

const sample = newsletter({ links: LINKS, encoding: '8bit' });
const message: Message = {
  headers: [
    ...sample.headers.filter(({ name }) => name !== 'Content-Type'),
    { name: 'Content-Type', value: 'text/html; charset=utf-8' },
    { name: 'Content-Transfer-Encoding', value: '8bit' },
  ],
  body: Buffer.from(sample.html),
};
/** Where the ids begin that differ by recipient. */
const ids = Array.from({ length: OF_THE_RECIPIENT }, (_, link) => {
  const mark = `&amp;pos=${link}&amp;id=`;
  return message.body.indexOf(mark) + mark.length;
});

function toRecipient(number: number): Recording {
  const body = Buffer.from(message.body);
  for (const at of ids) body.write(randomBytes(6).toString('hex'), at, 'latin1');
  return new Recording(
    { ...message, body },
    { recipient: `recipient-${number}@recipient.example` },
  );
}

async function usage(redis: Redis): Promise<{ bytes: number; commands: number }> {
  const info = await redis.cli('info', 'all');
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1]);
  return { bytes: field('used_memory'), commands: field('total_commands_processed') };
}

/** Bytes a link where each has a key of its own. */
async function withKeys(redis: Redis, recipients: number): Promise<number> {
  await redis.cli('flushall');
  const before = await usage(redis);
  const client = new RedisClient({ path: redis.socket });
  for (let recipient = 0; recipient < recipients; recipient++) {
    const pipeline = client.pipeline();
    sample.links.slice(-LINKS).forEach((target) => {
      pipeline.set(`clickmilter:${randomBytes(12).toString('base64url')}`, target, 'EX', 2_592_000);
    });
    await pipeline.exec();
  }
  await client.quit();
  const after = await usage(redis);
  return (after.bytes - before.bytes) / recipients / LINKS;
}
