import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ClickRecorder } from '../../src/click/click-recorder.ts';
import { Webhook } from '../../src/click/webhook.ts';
import { inBackground, reportBackgroundFailures } from '../../src/lib/background.ts';
import { type Logger, logFailure, silent } from '../../src/lib/logger.ts';
import { ProcessMetrics } from '../../src/service/metrics.ts';
import { watchStore } from '../../src/service/store-watch.ts';
import { BlockListFile } from '../../src/store/local/blocks.ts';
import { FileCounters } from '../../src/store/local/counters.ts';
import { Journal } from '../../src/store/local/journal.ts';
import { JournalReplay } from '../../src/store/local/journal-replay.ts';
import type { RedisConnection } from '../../src/store/redis/connection.ts';
import { RedisCounters } from '../../src/store/redis/counters.ts';
import { Keys } from '../../src/store/redis/keys.ts';
import { exampleClick } from '../click/example-click.ts';
import { localClicks } from '../helpers/local-clicks.ts';
import { eventsDefaults } from '../helpers/option-defaults.ts';

const boom = () => {
  throw new TypeError('boom');
};
const booming: Logger = { ...silent, info: boom, warn: boom, error: boom };
const event = '{"msys":{"track_event":{"event_id":"1"}}}';
const message = { time: Date.parse('2026-09-22'), links: 1 };

let folder: string;
let lines: { level: number; msg: string; reason: string }[];
let unhandled: unknown[];
const onUnhandled = (error: unknown) => unhandled.push(error);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clickmilter-background-'));
  lines = [];
  unhandled = [];
  const logger = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) });
  reportBackgroundFailures((task, error) =>
    logFailure(logger, 'error', error, `background task failed: ${task}: ${folder}`),
  );
  process.on('unhandledRejection', onUnhandled);
});
afterEach(async () => {
  process.off('unhandledRejection', onUnhandled);
  await rm(folder, { recursive: true, force: true });
});

/** Starts the task, waits for its line, and returns what ends it once it has been seen to go on. */
const tasks: Record<string, () => Promise<void>> = {
  async 'write the counters (Redis)'() {
    const commands: unknown[][] = [];
    const client = {
      ping: async () => 'PONG',
      eval: async (...command: unknown[]) => {
        commands.push(command);
        return commands.length === 1 ? null : [0, [1]];
      },
    };
    const connection = {
      isCluster: false,
      keys: new Keys('x:'),
      run: (send: (c: unknown) => unknown) => send(client),
    };
    const counters = new RedisCounters(connection as unknown as RedisConnection, booming);
    counters.sent(message);
    await expect.poll(() => lines).toHaveLength(1);
    counters.sent(message);
    await counters.flush();
    expect(JSON.stringify(commands.slice(1))).toContain('x:t:2026-09-22:day');
    counters.stop();
  },
  async 'write the counters (files)'() {
    const counters = new FileCounters({
      folder: join(folder, 'file', 'below'),
      flushMs: 1,
      logger: booming,
    });
    await new Journal({ ...eventsDefaults, folder, kind: 'events' }).close();
    const blocked = await import('node:fs/promises');
    await blocked.writeFile(join(folder, 'file'), '');
    counters.sent(message);
    await expect.poll(() => lines).toHaveLength(1);
    await blocked.rm(join(folder, 'file'));
    counters.sent(message);
    await counters.close();
    expect(await blocked.readdir(join(folder, 'file', 'below'))).toHaveLength(1);
  },
  async 'keep repeated clicks'() {
    const fail = { now: true };
    const kept: string[] = [];
    const recorder = new ClickRecorder({
      events: localClicks({
        async append(events) {
          if (fail.now && kept.length > 0) boom();
          kept.push(...events);
        },
      }),
      ...eventsDefaults,
      flood: { perSecond: 1, flushMs: 1000 },
      logger: booming,
    });
    await recorder.record(exampleClick());
    await recorder.record(exampleClick());
    await recorder.close();
    fail.now = false;
    await expect.poll(() => lines).toHaveLength(1);
    await recorder.record(exampleClick());
    expect(kept).toHaveLength(2);
  },
  async 'replay the journal'() {
    const journal = new Journal({ ...eventsDefaults, folder, kind: 'pending' });
    await journal.append([event]);
    const broken = { now: true };
    const taken: string[] = [];
    const replay = new JournalReplay({
      folder,
      journal,
      intervalMs: 5,
      target: { append: async (events) => void taken.push(...events) },
      logger: {
        ...silent,
        info() {
          if (broken.now) boom();
        },
      },
    });
    await expect.poll(() => lines).toHaveLength(1);
    broken.now = false;
    await journal.append([event]);
    await expect.poll(() => taken).toHaveLength(2);
    await replay.close();
    await journal.close();
  },
  async 'write the journal'() {
    const tooLong = `${join(folder, 'x'.repeat(300))}`;
    const journal = new Journal({
      ...eventsDefaults,
      folder: tooLong,
      kind: 'events',
      logger: booming,
    });
    await expect(journal.append([event])).rejects.toThrow(/ENAMETOOLONG/);
    await expect.poll(() => lines).toHaveLength(1);
    await expect(journal.append([event])).rejects.toThrow(/ENAMETOOLONG/);
    await journal.close();
  },
  async 'deliver events'() {
    let looks = 0;
    const webhook = new Webhook({
      ...eventsDefaults,
      webhook: 'http://127.0.0.1:1/',
      backoffMs: 1,
      consumer: {
        async unacknowledged() {
          looks++;
          return boom();
        },
        next: boom,
        acknowledge: boom,
        backlog: boom,
        note: boom,
        keep: boom,
        close: async () => {},
      },
      logger: booming,
    });
    webhook.start();
    await expect.poll(() => looks).toBeGreaterThan(2);
    await webhook.close(0);
  },
  async 'watch the store'() {
    let looks = 0;
    const end = watchStore(
      async () => {
        looks++;
        return { failures: [], warnings: ['x'] };
      },
      { ...silent, warn: boom },
      1,
    );
    await expect.poll(() => looks).toBeGreaterThan(2);
    end();
  },
};

describe('a background task that throws is one line of the log, and goes on', () => {
  for (const [name, run] of Object.entries(tasks)) {
    test(name, async () => {
      await run();
      const of = `background task failed: ${name.replace(/ \(.*/, '')}`;
      const told = lines.filter(({ msg }) => msg.startsWith(of) || /report/.test(msg));
      expect(told).toHaveLength(1);
      expect(told[0]).toMatchObject({
        level: 50,
        reason: expect.stringMatching(/boom|null|string/),
      });
      expect(told[0]).not.toHaveProperty('err');
      expect(unhandled).toEqual([]);
    });
  }

  test('the block list, whose problems nobody can hear of', async () => {
    const path = join(folder, 'blocked');
    const list = new BlockListFile(path, booming);
    const { writeFile } = await import('node:fs/promises');
    await writeFile(path, 'nonsense\n');
    const { resolved } = exampleClick();
    await list.find('token', resolved).catch(() => {});
    await writeFile(path, 'token other\n');
    expect(await list.find('other', resolved)).toMatchObject({ value: 'other' });
    expect(unhandled).toEqual([]);
  });

  test('a gauge', async () => {
    const metrics = new ProcessMetrics('main', '1');
    metrics.gauge('journal_bytes', boom);
    metrics.gauge('events_undelivered', async () => boom());
    metrics.gauge('workers', () => 2);
    const shown = JSON.stringify(await metrics.snapshot());
    expect(shown).toContain('"clickmilter_workers"');
    expect(unhandled).toEqual([]);
  });

  test('one that throws before its first await, and one that rejects with no Error', async () => {
    inBackground('first', boom);
    inBackground('second', () => Promise.reject('no error'));
    await expect.poll(() => lines).toHaveLength(2);
    expect(lines.map(({ reason }) => reason)).toEqual(['boom', 'no error']);
  });

  test('one that nobody named', async () => {
    process.off('unhandledRejection', onUnhandled);
    const others = process.listeners('unhandledRejection');
    const ours = others.at(-1);
    ours?.(new Error('stray'), Promise.resolve());
    expect(lines.map(({ reason }) => reason)).toEqual(['stray']);
  });
});
