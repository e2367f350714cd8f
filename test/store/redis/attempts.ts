import { expect } from 'vitest';
import { StoreUnavailable } from '../../../src/link/link-store.ts';
import type { RedisStore } from '../../../src/store/redis/store.ts';
import { exampleMessage } from '../../link/example-message.ts';
import { tokenOf } from '../../link/token-of.ts';
import { TIMEOUT_MS } from './open-store.ts';

/** Nothing waits longer than the time-out. Without it, calls wait until Redis is back; the factor is for a busy machine. */
const BOUND_MS = 10 * TIMEOUT_MS;

/** Saves a message with one link, and gives its token. */
export async function save(store: RedisStore): Promise<string> {
  const issued = store.issuer.issue(exampleMessage());
  const token = tokenOf(issued, { target: 'https://shop.example/', part: 'html' });
  await issued.commit(new AbortController().signal);
  return token;
}

/** What became of a call: `done`, or why the store was unavailable; anything else, or no answer in time, fails the test. */
export async function outcome(call: Promise<unknown>): Promise<string> {
  const start = performance.now();
  const result = await call.then(
    () => 'done',
    (error: unknown) => {
      expect(error).toBeInstanceOf(StoreUnavailable);
      return (error as StoreUnavailable).message.replace(/\S+:\d+|\/\S+\.sock/g, 'HOST');
    },
  );
  expect(performance.now() - start).toBeLessThan(BOUND_MS);
  return result;
}

/** For poll. */
export function works(store: RedisStore): () => Promise<boolean> {
  return async () => (await outcome(save(store))) === 'done';
}

/** Mail that goes on, eight messages at a time, until it is told to stop. */
export interface Traffic {
  /** In the order in which the attempts ended. */
  readonly outcomes: readonly string[];
  /** Of what was acknowledged. */
  readonly tokens: readonly string[];
  stop(): Promise<void>;
}

export function startTraffic(store: RedisStore): Traffic {
  const outcomes: string[] = [];
  const tokens: string[] = [];
  let stopped = false;
  const senders = Array.from({ length: 8 }, async () => {
    while (!stopped) {
      const result = await outcome(save(store).then((token) => tokens.push(token)));
      outcomes.push(result);
      // What fails at once would otherwise be tried thousands of times a second.
      if (result !== 'done') await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
  return {
    outcomes,
    tokens,
    stop: async () => {
      stopped = true;
      await Promise.all(senders);
    },
  };
}
