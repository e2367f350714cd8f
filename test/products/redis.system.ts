import { afterAll, beforeAll, test } from 'vitest';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { expectLinear } from './measured.ts';
import { products } from './redis.ts';

let redis: Redis;
beforeAll(async () => {
  redis = await startRedis();
  process.env['PRODUCTS_REDIS'] = redis.url;
});
afterAll(() => redis?.stop());

test.each(Object.keys(products))('%s: time, memory and output grow with the bytes', (name) =>
  expectLinear('redis', name),
);
