import { expect, test } from 'vitest';
import { watchStore } from '../../src/service/store-watch.ts';
import { recordedLog } from '../helpers/recorded.ts';

test('a warning is logged when it becomes true, once, and again after it was over', async () => {
  const states = [
    ['no persistence'],
    ['no persistence', 'holds 95 events'],
    new Error('away'),
    ['no persistence', 'holds 96 events'],
    [],
    ['holds 95 events'],
  ];
  const { logger, lines } = recordedLog();
  let looks = 0;
  const health = async () => {
    const state = states[looks++] ?? ['holds 97 events'];
    if (state instanceof Error) throw state;
    return { warnings: state };
  };
  const end = watchStore(health, logger, 1);
  await expect.poll(() => looks).toBeGreaterThan(states.length + 2);
  end();
  expect(lines.map(({ message }) => message)).toEqual([
    'no persistence',
    'holds 95 events',
    'holds 95 events',
  ]);
});
