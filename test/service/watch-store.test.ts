import { expect, test } from 'vitest';
import { watchStore } from '../../src/service/watch-store.ts';

test('a warning is said when it becomes true, once, and again after it was over', async () => {
  const states = [
    ['no persistence'],
    ['no persistence', 'holds 95 events'],
    new Error('away'),
    ['no persistence', 'holds 96 events'],
    [],
    ['holds 95 events'],
  ];
  const said: string[] = [];
  let looks = 0;
  const health = async () => {
    const state = states[looks++] ?? ['holds 97 events'];
    if (state instanceof Error) throw state;
    return { warnings: state };
  };
  const end = watchStore(health, (warning) => said.push(warning), 1);
  await expect.poll(() => looks).toBeGreaterThan(states.length + 2);
  end();
  expect(said).toEqual(['no persistence', 'holds 95 events', 'holds 95 events']);
});
