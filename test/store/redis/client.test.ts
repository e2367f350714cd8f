import { Cluster } from 'ioredis';
import { describe, expect, test } from 'vitest';
import type { RedisOptions } from '../../../src/store/redis/client.ts';
import { createClient, describeRedis } from '../../../src/store/redis/client.ts';
import { redisDefaults } from '../../helpers/option-defaults.ts';

/** Where and as whom a client would connect; it never does. */
function reaches(options: Partial<RedisOptions>) {
  const client = createClient({ ...redisDefaults, ...options });
  try {
    if (client instanceof Cluster) throw new Error('a cluster');
    const { host, port, path, db, username, password, name, sentinels, tls } = client.options;
    const wanted = { host, port, path, db, username, password, name, sentinels, tls: tls && 'on' };
    return Object.fromEntries(Object.entries(wanted).filter(([, value]) => value));
  } finally {
    client.disconnect();
  }
}

describe('a URL', () => {
  test.each<[string, Record<string, unknown>]>([
    ['redis://127.0.0.1', { host: '127.0.0.1', port: 6379 }],
    ['redis://redis.example:7000/3', { host: 'redis.example', port: 7000, db: 3 }],
    ['redis://[2001:db8::1]:7000', { host: '2001:db8::1', port: 7000 }],
    ['redis://:p%40ss@h', { host: 'h', port: 6379, password: 'p@ss' }],
    ['redis://u:p@h/1', { host: 'h', port: 6379, username: 'u', password: 'p', db: 1 }],
    ['rediss://h', { host: 'h', port: 6379, tls: 'on' }],
    [
      'unix:///run/redis/redis.sock',
      { host: 'localhost', port: 6379, path: '/run/redis/redis.sock' },
    ],
    ['unix:///run/r.sock?db=2', { host: 'localhost', port: 6379, path: '/run/r.sock', db: 2 }],
  ])('%s', (url, expected) => {
    expect(reaches({ url })).toEqual(expected);
  });

  test('gives way to username and password', () => {
    expect(reaches({ url: 'redis://a:b@h', username: 'c', password: 'd' })).toMatchObject({
      username: 'c',
      password: 'd',
    });
  });
});

test('sentinels are asked for their master', () => {
  expect(
    reaches({ sentinels: ['a:1', '[2001:db8::1]:2', 'b'], sentinelName: 'links' }),
  ).toMatchObject({
    name: 'links',
    sentinels: [
      { host: 'a', port: 1 },
      { host: '2001:db8::1', port: 2 },
      { host: 'b', port: 26379 },
    ],
  });
});

test('a file that cannot be read is named', () => {
  expect(() => createClient({ ...redisDefaults, tlsCa: '/nonexistent/ca.pem' })).toThrow(
    '/nonexistent/ca.pem',
  );
});

test.each<[Partial<RedisOptions>, string]>([
  [{ url: 'rediss://user:secret@h:1/2' }, 'Redis h:1'],
  [{ url: 'unix:///run/r.sock' }, 'Redis /run/r.sock'],
  [{ nodes: ['a:1', 'b:2'] }, 'Redis Cluster a:1 b:2'],
  [{ sentinels: ['a:1'], sentinelName: 'links' }, 'Redis "links" of the sentinels a:1'],
])('%o is called %s', (options, name) => {
  expect(describeRedis({ ...redisDefaults, ...options })).toBe(name);
});
