import { expect, test } from 'vitest';
import { newMessageId } from '../../src/link/message-id.ts';
import { formatStoredToken, LinkChecks } from '../../src/link/stored-token.ts';
import { watchStore, withoutStore } from '../../src/service/store-watch.ts';
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

test('a stored link followed without a store is reported', async () => {
  const asked: string[] = [];
  const { logger, lines } = recordedLog();
  const resolver = withoutStore(
    {
      async resolve(token) {
        asked.push(token);
        return undefined;
      },
    },
    logger,
  );
  const stored = formatStoredToken(newMessageId(), 0, new LinkChecks('secret'));
  await resolver.resolve('2sealed');
  await resolver.resolve('1');
  expect(lines).toEqual([]);
  await resolver.resolve(stored);
  await resolver.resolve(stored);
  expect(lines).toMatchObject([
    { level: 'warn', message: expect.stringContaining('links sent while it was "redis"') },
  ]);
  expect(asked).toEqual(['2sealed', '1', stored, stored]);
});
