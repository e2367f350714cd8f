import type { TrackedLink } from '../../src/link/message-facts.ts';
import type { RedisStore } from '../../src/store/redis/store.ts';
import { settle } from '../helpers/settle.ts';
import { exampleMessage } from '../link/example-message.ts';
import { openStore } from '../store/redis/open-store.ts';
import type { Load, Product } from './growth.ts';

/** Set by redis.system.ts, which starts it. */
const url = process.env['PRODUCTS_REDIS'] ?? '';

const list = <T>(count: number, item: (index: number) => T): T[] =>
  Array.from({ length: Math.ceil(count) }, (_, index) => item(index));
const event = (n: number, length: number, recipient = n) =>
  `{"msys":{"track_event":{"event_id":"${n}","rcpt_to":"r${recipient}@x.example","p":"${'p'.repeat(length)}"}}}`;
const link = (target: string): TrackedLink => ({ target, part: 'html' });
/** Letters that deflate does not shorten. */
const noise = (length: number) =>
  list(length / 10, () => Math.random().toString(36).slice(2, 12)).join('');

/** A load on a store that is empty but for what is prepared. */
async function onStore<Prepared>(
  bytes: number,
  prepare: (store: RedisStore) => Promise<Prepared>,
  run: (store: RedisStore, prepared: Prepared) => Promise<number>,
): Promise<Load> {
  const open = () =>
    openStore({
      url,
      keyPrefix: `${Math.random()}:`,
      commandTimeoutMs: 60_000,
      stream: { streamMaxLength: 1e6, streamMaxSize: 2 ** 30 },
    });
  const store = open();
  const prepared = await prepare(store);
  return { bytes, run: () => run(store, prepared).finally(() => store.close()) };
}

/** Saves a message with these links. @returns their tokens */
async function save(
  store: RedisStore,
  links: readonly TrackedLink[],
  recipients = ['a@x.example'],
) {
  const issued = store.issuer.issue(exampleMessage({ recipients }));
  const tokens = links.map((one) => issued.token(one) ?? '');
  await issued.commit(new AbortController().signal);
  return tokens;
}

const resolveAll = async (store: RedisStore, tokens: readonly string[]) => {
  let found = 0;
  for (const token of tokens)
    found += (await store.resolver.resolve(token))?.link.target.length ?? 0;
  return found;
};

/** What Redis holds, and what is done with it: links, clicks, counts. */
export const products: Readonly<Record<string, Product>> = {
  'bytes of a record × clicks at one time': (n) =>
    onStore(
      n * 20 + n * 2,
      (store) =>
        save(
          store,
          list(n / 100, () => link(`https://a.example/${noise(2000)}`)),
        ),
      async (store, [token = '']) => {
        const found = list(n / 40, () => store.resolver.resolve(token));
        return (await Promise.all(found)).filter(Boolean).length;
      },
    ),
  'clicks × the longest record': (n) =>
    onStore(
      n,
      (store) =>
        save(
          store,
          list(3000, (i) => link(`https://a.example/${i}/${noise(1000)}`)),
        ),
      (store, tokens) => resolveAll(store, tokens.slice(0, n / 200)),
    ),
  'records × clicks': (n) =>
    onStore(
      (n / 100) * (n / 400) * 120,
      async (store) => {
        const tokens: string[] = [];
        for (let at = 0; at < n / 100; at++) {
          const links = list(n / 400, () => link(`https://a.example/${noise(100)}`));
          tokens.push(...(await save(store, links)).slice(0, 2));
        }
        return tokens;
      },
      resolveAll,
    ),
  'messages × links of a template': (n) =>
    onStore(
      (n / 50) * (n / 200) * 30,
      async () => undefined,
      async (store) => {
        for (let at = 0; at < n / 50; at++) {
          const links = list(n / 200, (i) => link(`https://a.example/${i}?user=${at}`));
          await save(store, links, [`r${at}@x.example`]);
        }
        return 0;
      },
    ),
  'events × their bytes in the stream': (n) =>
    onStore(
      (n / 50) * (n / 20 + 100),
      async () => undefined,
      async (store) => {
        const appender = await store.events.openAppender();
        const events = list(n / 50, (i) => event(i, n / 20));
        await Promise.all(events.map((one) => appender.append([one])));
        const reader = store.events.openReader('oldest');
        const consumer = store.events.openConsumer({ group: 'g', name: 'c' });
        let bytes = 0;
        for (;;) {
          const some = await reader.next(1000, 0);
          for (const one of some) bytes += one.event.length;
          if (some.length === 0) break;
        }
        for (;;) {
          const some = await consumer.next(1000, 0);
          await consumer.acknowledge(some);
          if (some.length === 0) break;
        }
        await reader.close();
        await consumer.close();
        await appender.close();
        return bytes;
      },
    ),
  'events × those to forget': (n) =>
    onStore(
      (n / 5) * 200,
      async (store) => {
        const appender = await store.events.openAppender();
        await appender.append(list(n / 5, (i) => event(i, 100, i % 3)));
        await appender.close();
      },
      async (store) => (await store.forget({ address: 'r0@x.example' })).events,
    ),
  'recipients × messages to forget': (n) =>
    onStore(
      (n / 50) * (n / 50) * 15,
      async (store) => {
        for (let at = 0; at < n / 50; at++) {
          const recipients = list(n / 50, (i) => `r${i}@x.example`);
          await save(store, [link(`https://a.example/${at}`)], recipients);
        }
      },
      async (store) => (await store.forget({ address: 'r0@x.example' })).shared,
    ),
  'campaigns × links counted': (n) =>
    onStore(
      n * 60,
      async () => undefined,
      async (store) => {
        for (let at = 0; at < n / 2; at++) {
          const link = `https://a.example/${at}`;
          const message = { messageId: `${at}`.padStart(16, 'M'), campaign: `${at % 100}` };
          const click = { ...message, time: Date.now(), part: 'html', link, count: 1 } as const;
          store.counters.book(click, at % 2 ? 'people' : 'automatic');
        }
        await settle(store.counters);
        return JSON.stringify(await store.counters.report({ by: 'link' })).length;
      },
    ),
  'blocks × clicks': (n) =>
    onStore(
      (n / 50) * 120,
      async (store) => {
        const [token = ''] = await save(store, [link('https://a.example/')]);
        for (let at = 0; at < n / 50; at++) {
          await store.blocks.add({ kind: 'domain', value: `${at}.example` });
        }
        return token;
      },
      async (store, token) => {
        for (let at = 0; at < n / 50; at++) {
          const resolved = await store.resolver.resolve(token);
          if (resolved) await store.blocks.find(token, resolved);
        }
        return 0;
      },
    ),
};
