import { expect, test } from 'vitest';
import { startRedis } from './redis.ts';

test('a private redis keeps its port and its data over a kill, and leaves nothing behind', async () => {
  const redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
  expect(await redis.cli('set', 'a', '1')).toBe('OK');
  await redis.kill();
  await expect(redis.cli('ping')).rejects.toThrow();
  await redis.start();
  expect(await redis.cli('get', 'a')).toBe('1');
  redis.pause();
  redis.resume();
  expect(await redis.cli('ping')).toBe('PONG');
  await redis.stop();
  await redis.stop();
});

test('a sentinel starts too', async () => {
  const redis = await startRedis();
  const sentinel = await startRedis({
    sentinel: true,
    conf: `sentinel monitor main 127.0.0.1 ${redis.port} 1`,
  });
  expect(await sentinel.cli('sentinel', 'get-master-addr-by-name', 'main')).toContain(
    String(redis.port),
  );
  await sentinel.stop();
  await redis.stop();
});
