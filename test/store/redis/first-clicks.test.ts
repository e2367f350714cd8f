import { expect, test } from 'vitest';
import { BookedClicks } from '../../../src/store/booked-clicks.ts';
import { type ClickPortion, takePortion } from '../../../src/store/redis/click-portion.ts';
import type { RedisConnection } from '../../../src/store/redis/connection.ts';
import { FirstClicks } from '../../../src/store/redis/first-clicks.ts';
import { Keys } from '../../../src/store/redis/keys.ts';
import { Tallies } from '../../../src/store/tallies.ts';

test('many different clicks are added up a few at a time, and readers are answered in between', async () => {
  const client = { eval: async (_script: string, keys: number) => Array(keys).fill('0') };
  const connection = {
    isCluster: false,
    keys: new Keys('clickmilter:'),
    run: (send: (to: typeof client) => Promise<unknown>) => send(client),
  } as unknown as RedisConnection;
  let added = 0;
  class Watched extends Tallies {
    override add(...of: Parameters<Tallies['add']>): void {
      added++;
      super.add(...of);
    }
  }
  const clicks = 1_000;
  const booked = new BookedClicks();
  for (let n = 0; n < clicks; n++) {
    const link = `https://shop.example/${n}`;
    booked.add({ time: 0, messageId: `m${n}`, link, part: 'html', count: 1 }, 'people');
  }
  const { portion } = takePortion(booked) as { portion: ClickPortion };
  const inTurns: number[] = [];
  const turn = () => {
    inTurns.push(added);
    if (added < clicks) setImmediate(turn);
  };
  turn();
  await new FirstClicks(connection).mark(portion, '1', new Watched(clicks * 100));
  inTurns.push(added);
  expect(added).toBe(clicks);
  const most = Math.max(...inTurns.map((count, at) => count - (inTurns[at - 1] ?? 0)));
  expect(most).toBeLessThan(clicks / 2);
});
