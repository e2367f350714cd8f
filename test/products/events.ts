import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from '../../src/click/webhook.ts';
import { DeadLetters } from '../../src/store/local/dead-letters.ts';
import { forgetInJournal } from '../../src/store/local/erase.ts';
import { Journal } from '../../src/store/local/journal.ts';
import { JournalConsumer } from '../../src/store/local/journal-consumer.ts';
import { JournalReader } from '../../src/store/local/journal-reader.ts';
import { JournalReplay } from '../../src/store/local/journal-replay.ts';
import { readLines } from '../../src/store/local/line-reader.ts';
import { eventsDefaults } from '../helpers/option-defaults.ts';
import {
  accept,
  type ReceivedBatch,
  startWebhookServer,
  status,
} from '../helpers/webhook-server.ts';
import type { Load, Product } from './growth.ts';

const event = (n: number, length = 300, recipient = n) =>
  `{"msys":{"track_event":{"event_id":"${n}","rcpt_to":"r${recipient}@x.example","p":"${'p'.repeat(length)}"}}}`;
const idOf = (text: string): number => Number(JSON.parse(text).msys.track_event.event_id);
const list = <T>(count: number, item: (index: number) => T): T[] =>
  Array.from({ length: Math.ceil(count) }, (_, index) => item(index));
const bytesOf = (events: readonly string[]) =>
  events.reduce((sum, { length }) => sum + length + 1, 0);

/** A load with a folder of its own in which events wait. */
async function withJournal(
  events: readonly string[],
  files: number,
  run: (folder: string) => Promise<number>,
  kind: 'events' | 'pending' = 'events',
): Promise<Load> {
  const folder = await mkdtemp(join(tmpdir(), 'clickmilter-products-'));
  const each = Math.ceil(events.length / files);
  for (let start = 0; start < events.length; start += each) {
    const journal = new Journal({ ...eventsDefaults, folder, kind });
    await journal.append(events.slice(start, start + each));
    await journal.close();
  }
  const all = () => run(folder).finally(() => rm(folder, { recursive: true }));
  return { bytes: bytesOf(events), run: all };
}

/** Delivers all events to a server, until each was accepted or put aside. */
async function deliver(
  events: readonly string[],
  judge: (batch: ReceivedBatch) => ReturnType<typeof status>,
  files = 1,
): Promise<Load> {
  return withJournal(events, files, async (folder) => {
    const left = new Set(events.map(idOf));
    let output = 0;
    const server = await startWebhookServer([], (batch) => {
      server.batches.length = 0;
      output += batch.body.length;
      const behaviour = judge(batch);
      if (behaviour === accept) {
        for (const { msys } of batch.events) left.delete(Number(msys.track_event.event_id));
      }
      return behaviour;
    });
    const webhook = new Webhook({
      ...eventsDefaults,
      consumer: new JournalConsumer(folder, 'webhook'),
      webhook: server.url,
      webhookIntervalMs: 1,
      backoffMs: 1,
      maxBackoffMs: 1,
      deadLetters: {
        path: '',
        async add(letters) {
          for (const letter of letters) left.delete(idOf(letter));
        },
      },
    });
    webhook.start();
    while (left.size > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    await webhook.close(1000);
    await server.close();
    return output;
  });
}

const refusing = (isOffender: (id: number) => boolean) => (batch: ReceivedBatch) =>
  batch.events.some(({ msys }) => isOffender(Number(msys.track_event.event_id)))
    ? status(400)
    : accept;

async function readAll(folder: string): Promise<number> {
  const reader = new JournalReader({ folder, kinds: ['events'] });
  let bytes = 0;
  for (;;) {
    const events = await reader.next(1000, 0);
    if (events.length === 0) break;
    for (const { event } of events) bytes += event.length;
  }
  await reader.close();
  return bytes;
}

/** Events that are kept, replayed, read, forgotten and delivered: clicks decide how many, senders how long they are. */
export const products: Readonly<Record<string, Product>> = {
  'events × bytes of an event': (n) =>
    withJournal(
      list(n / 100, (i) => event(i, n / 5)),
      1,
      readAll,
    ),
  'files × events': (n) =>
    withJournal(
      list(n, (i) => event(i, 50)),
      n / 500,
      readAll,
    ),
  'readers × events': (n) =>
    withJournal(
      list(n / 5, (i) => event(i)),
      4,
      async (folder) => {
        const read = await Promise.all([readAll(folder), readAll(folder), readAll(folder)]);
        return read.reduce((sum, bytes) => sum + bytes);
      },
    ),
  'appends at one time × bytes': (n) =>
    withJournal([event(0, n * 20)], 1, async (folder) => {
      const journal = new Journal({ ...eventsDefaults, folder, kind: 'events' });
      await Promise.all(list(n / 20, (i) => journal.append([event(i, 400)])));
      await journal.close();
      const sizes = (await readdir(folder)).map(async (name) => stat(join(folder, name)));
      return (await Promise.all(sizes)).reduce((sum, { size }) => sum + size, 0);
    }),
  'pieces × one line without end': async (n) => {
    const folder = await mkdtemp(join(tmpdir(), 'clickmilter-products-'));
    const path = join(folder, 'line');
    await writeFile(path, 'x'.repeat(n * 100));
    const run = async () => {
      const lines = await readLines(path, 0, 100);
      await rm(folder, { recursive: true });
      return lines.length;
    };
    return { bytes: n * 100, run };
  },
  'files × events to replay': (n) =>
    withJournal(
      list(n / 2, (i) => event(i, 50)),
      n / 500,
      async (folder) => {
        const journal = new Journal({ ...eventsDefaults, folder, kind: 'pending' });
        let bytes = 0;
        const target = {
          append: async (events: readonly string[]) => {
            bytes += bytesOf(events);
          },
        };
        const replay = new JournalReplay({ folder, journal, target });
        await replay.run();
        await replay.close();
        await journal.close();
        return bytes;
      },
      'pending',
    ),
  'events × those to forget': (n) =>
    withJournal(
      list(n / 5, (i) => event(i, 300, i % 3)),
      4,
      (folder) => forgetInJournal(folder, 'r0@x.example'),
    ),
  'dead letters × their bytes': async (n) => {
    const folder = await mkdtemp(join(tmpdir(), 'clickmilter-products-'));
    const letters = list(n / 100, (i) => event(i, n / 10));
    const run = async () => {
      const kept = new DeadLetters(folder, 100_000);
      for (const letter of letters) await kept.add([letter], 'HTTP 400');
      const { size } = await stat(kept.path).catch(() => ({ size: 0 }));
      await rm(folder, { recursive: true });
      return size;
    };
    return { bytes: bytesOf(letters), run };
  },
  'events × bytes of a batch': (n) =>
    deliver(
      list(n / 20, (i) => event(i, n / 20)),
      () => accept,
    ),
  'events × their number in a batch': (n) =>
    deliver(
      list(n, (i) => event(i, 1)),
      () => accept,
      4,
    ),
  'retries × batch': (n) => {
    let attempts = 0;
    return deliver(
      list(n / 20, (i) => event(i)),
      () => (attempts++ % 4 === 3 ? accept : status(503)),
    );
  },
  'refused events × batch': (n) =>
    deliver(
      list(n / 20, (i) => event(i)),
      refusing((id) => id % 2 === 1),
    ),
  'events too large for the server × batch': (n) =>
    deliver(
      list(n / 20, (i) => event(i, i % 10 ? 100 : 2000)),
      ({ body }) => (body.length > 5000 ? status(413) : accept),
    ),
};
