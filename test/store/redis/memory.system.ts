import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TrackedLink } from '../../../src/link/message-facts.ts';
import { newsletter } from '../../helpers/newsletter.ts';
import { type Redis, startRedis } from '../../helpers/redis.ts';
import { exampleMessage } from '../../link/example-message.ts';
import { openStore } from './open-store.ts';

let redis: Redis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

const RECIPIENTS = 10_000;

async function usedMemory(): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.cli('info', 'memory'))?.[1]);
}

test('a newsletter of 30 links to 10,000 recipients takes at most 15 bytes of Redis per link', async () => {
  const common = newsletter({ links: 28, size: 60_000 }).links.slice(-28);
  const store = openStore({ url: `unix://${redis.socket}` });
  await store.resolver.resolve(`1${'A'.repeat(23)}`);
  const before = await usedMemory();

  const send = async (recipient: number) => {
    const user = (recipient * 0x9e3779b1).toString(36);
    const own = ['preferences', 'unsubscribe'].map(
      (page) => `https://www.shop.example/${page}?u=${user}`,
    );
    const links = [...common, ...own].map((target): TrackedLink => ({ target, part: 'html' }));
    const issued = store.issuer.issue(
      exampleMessage({
        recipients: [`someone.${user}@example.org`],
        metadata: { user },
        queueId: randomBytes(6).toString('hex'),
        rfc822MessageId: `<${randomUUID()}@mail.shop.example>`,
      }),
    );
    for (const link of links) issued.token(link);
    await issued.commit(new AbortController().signal);
    return links.length;
  };
  let links = 0;
  for (let first = 0; first < RECIPIENTS; first += 100) {
    const portion = Array.from({ length: 100 }, (_, i) => send(first + i));
    links += (await Promise.all(portion)).reduce((sum, count) => sum + count, 0);
  }
  const grown = (await usedMemory()) - before;
  expect(links).toBe(30 * RECIPIENTS);
  expect(grown / links).toBeLessThanOrEqual(15);
  await store.close();
});

test.each([
  { size: 2, links: 2, atMost: 410 },
  { size: 20, links: 24, atMost: 80 },
  { size: 40, links: 48, atMost: 65 },
])(
  'a message of its own, of $links links, takes at most $atMost bytes per link',
  async ({ size, links: count, atMost }) => {
    const store = openStore({ url: `unix://${redis.socket}` });
    await store.resolver.resolve(`1${'A'.repeat(23)}`);
    const before = await usedMemory();
    const messages = 100;
    for (let seed = 0; seed < messages; seed++) {
      const { links } = newsletter({ links: count, size: size * 1000, seed });
      const issued = store.issuer.issue(
        exampleMessage({ recipients: [`someone.${seed}@example.org`] }),
      );
      for (const target of links.slice(-count)) issued.token({ target, part: 'html' });
      await issued.commit();
    }
    const perLink = ((await usedMemory()) - before) / messages / count;
    await store.close();
    expect(perLink).toBeLessThanOrEqual(atMost);
  },
);
