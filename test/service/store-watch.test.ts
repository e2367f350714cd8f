import { expect, test } from 'vitest';
import { watchStore } from '../../src/service/store-watch.ts';
import { recordedLog } from '../helpers/recorded.ts';

test('a warning is logged when it becomes true, once, and again after it was over', async () => {
  const states = [
    ['no persistence'],
    ['no persistence', 'holds 95 events'],
    new Error('away'),
    ['no persistence', 'holds 96 events', 'refuses writes'],
    ['refuses writes'],
    [],
    ['holds 95 events'],
  ];
  const { logger, lines } = recordedLog();
  let looks = 0;
  const isFailure = (text: string) => text.startsWith('refuses');
  const health = async () => {
    const state = states[looks++] ?? ['holds 97 events'];
    if (state instanceof Error) throw state;
    return { failures: state.filter(isFailure), warnings: state.filter((one) => !isFailure(one)) };
  };
  const end = watchStore(health, logger, 1);
  await expect.poll(() => looks).toBeGreaterThan(states.length + 2);
  end();
  expect(lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
    'warn no persistence',
    'warn holds 95 events',
    'error refuses writes',
    'warn holds 95 events',
  ]);
});
