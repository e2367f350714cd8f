import { expect, test } from 'vitest';
import { soak } from '../helpers/milter-soak.ts';

// The short form of soak.system.ts.
test('after many messages that ended in every way, nothing is left', async () => {
  const { ends, events, left } = await soak(600, 30);
  expect(left).toEqual({ connections: 0, messages: 0, sessions: 0, timersAndSockets: 0 });
  expect(Object.keys(ends).sort()).toEqual(
    expect.arrayContaining(['continue', 'half a frame', 'reset']),
  );
  expect(events['protocol-error']).toBeUndefined();
});
