import { expect, onTestFinished, test } from 'vitest';
import type { Context } from '../../src/service/context.ts';
import type { Links } from '../../src/service/links.ts';
import { ProcessMetrics } from '../../src/service/metrics.ts';
import { Releasers } from '../../src/service/releasers.ts';
import { type OtherProcesses, serveControl } from '../../src/service/serve-control.ts';
import { freePort } from '../helpers/free-port.ts';

const away = () => Promise.reject(new Error('Redis is away'));
const workers = (serving: number): OtherProcesses => ({
  serving: () => serving,
  snapshots: async () => [],
  settings: async () => [],
});

test.each<[string, OtherProcesses | undefined, (() => Promise<never>) | undefined, string]>([
  ['a process of its own', undefined, undefined, 'ready\n'],
  ['workers', workers(2), undefined, 'ready\n'],
  ['workers that are all gone', workers(0), undefined, 'no worker serves\n'],
  ['a store that is away', workers(1), away, 'Redis is away\n'],
  ['neither', workers(0), away, 'no worker serves\nRedis is away\n'],
])('/readyz with %s', async (_name, others, health, expected) => {
  const port = await freePort();
  const releasers = new Releasers();
  onTestFinished(() => releasers.release(1000));
  const links = { ...(health && { store: { health } }) } as unknown as Links;
  const context = {
    links,
    metrics: new ProcessMetrics('main', '1'),
    releasers,
  } as unknown as Context;
  await serveControl([{ host: '127.0.0.1', port }], context, ['control'], others);
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  expect(await response.text()).toBe(expected);
  expect(response.status).toBe(expected === 'ready\n' ? 200 : 503);
});
