import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Releasers } from '../../src/service/releasers.ts';

describe('Releasers', () => {
  test('release all that serves at once, then what it stands on, one after the other in reverse order', async () => {
    const order: string[] = [];
    const releasers = new Releasers();
    const slowly = (name: string, turns: number) => async () => {
      order.push(`${name} begins`);
      for (let turn = 0; turn < turns; turn++) await nextTurn();
      order.push(name);
    };
    releasers.addFoundation('store', slowly('store', 0));
    releasers.add('milter', slowly('milter', 3));
    releasers.addFoundation('clicks', slowly('clicks', 0));
    releasers.add('redirect', slowly('redirect', 1));
    await releasers.release(10_000);
    expect(order).toEqual([
      'milter begins',
      'redirect begins',
      'redirect',
      'milter',
      'clicks begins',
      'clicks',
      'store begins',
      'store',
    ]);
  });

  test('release the rest when one fails, and tell the first failure', async () => {
    const released: string[] = [];
    const releasers = new Releasers();
    releasers.addFoundation('store', () => released.push('store'));
    releasers.addFoundation('journal', () => {
      throw new Error('disk full');
    });
    releasers.add('server', () => Promise.reject('gone already'));
    await expect(releasers.release(10_000)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[Error: server: gone already]`,
    );
    expect(released).toEqual(['store']);
  });

  test('ask the rest to go when one hangs, without waiting for them', async () => {
    const released: string[] = [];
    const releasers = new Releasers();
    releasers.addFoundation('store', () => released.push('store'));
    releasers.add('server', () => new Promise(() => {}));
    await expect(releasers.release(20)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[Error: server did not end within 20 ms]`,
    );
    expect(released).toEqual(['store']);
  });

  test('release once', async () => {
    let times = 0;
    const releasers = new Releasers();
    releasers.add('server', () => times++);
    releasers.addFoundation('store', () => times++);
    await releasers.release(10_000);
    await releasers.release(10_000);
    expect(times).toBe(2);
  });
});
