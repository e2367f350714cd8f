import { expect, test } from 'vitest';
import { soak } from '../helpers/milter-soak.ts';

// The long form of soak.slow.ts, for the milter library: long enough to tell what is kept for ever from what is merely not collected yet.
test('after 20,000 messages over 50 connections, many of which end badly, nothing is left', async () => {
  const { left, heap } = await soak(20_000, 50);
  expect(left).toEqual({ connections: 0, messages: 0, sessions: 0, timersAndSockets: 0 });
  expect((heap.after - heap.before) / 1e6).toBeLessThan(3);
}, 300_000);
