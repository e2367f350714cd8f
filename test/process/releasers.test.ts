import { describe, expect, test } from 'vitest';
import { Releasers } from '../../src/process/releasers.ts';

describe('Releasers', () => {
  test('release in reverse order, one after the other', async () => {
    const order: string[] = [];
    const releasers = new Releasers();
    releasers.add('store', () => order.push('store'));
    releasers.add('server', async () => {
      await Promise.resolve();
      order.push('server');
    });
    await releasers.release(10_000);
    expect(order).toEqual(['server', 'store']);
  });

  test('release the rest when one fails, and tell the first failure', async () => {
    const released: string[] = [];
    const releasers = new Releasers();
    releasers.add('store', () => released.push('store'));
    releasers.add('journal', () => {
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
    releasers.add('store', () => released.push('store'));
    releasers.add('server', () => new Promise(() => {}));
    await expect(releasers.release(20)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[Error: server did not end within 20 ms]`,
    );
    expect(released).toEqual(['store']);
  });

  test('release once', async () => {
    let times = 0;
    const releasers = new Releasers();
    releasers.add('store', () => times++);
    await releasers.release(10_000);
    await releasers.release(10_000);
    expect(times).toBe(1);
  });
});
