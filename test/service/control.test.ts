import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Context } from '../../src/service/context.ts';
import {
  type ControlOptions,
  createControlServer,
  type OtherProcesses,
  readInUse,
  serveControl,
} from '../../src/service/control.ts';
import type { Links } from '../../src/service/links.ts';
import type { Role } from '../../src/service/listen.ts';
import { ProcessMetrics } from '../../src/service/metrics.ts';
import { Releasers } from '../../src/service/releasers.ts';
import type { OptOuts } from '../../src/store/store.ts';
import { freePort } from '../helpers/free-port.ts';

const away = () => Promise.reject(new Error('Redis is away'));
const workers = (serving: number): OtherProcesses => ({
  serving: () => serving,
  snapshots: async () => [],
  settings: async () => [],
});

const refuses = async () => ({ failures: ['it refuses writes'] });

test.each<
  [string, OtherProcesses | undefined, (() => Promise<unknown>) | undefined, string, Role?]
>([
  ['a process of its own', undefined, undefined, 'ready\n'],
  ['workers', workers(2), undefined, 'ready\n'],
  ['workers that are all gone', workers(0), undefined, 'no worker serves\n'],
  ['a store that is away', workers(1), away, 'Redis is away\n'],
  ['neither', workers(0), away, 'no worker serves\nRedis is away\n'],
  ['a store that refuses writes', undefined, refuses, 'it refuses writes\n', 'milter'],
  ['the same where links are only found', undefined, refuses, 'ready\n', 'redirect'],
])('/readyz with %s', async (_name, others, health, expected, role = 'milter') => {
  await expectReadyz({ health }, expected, role, others);
});

test('/readyz of the milter, not of the redirect endpoint, with opt-outs that are not known', async () => {
  const optOuts = { hasAny: () => Promise.reject(new Error('opt-outs: EACCES')) };
  await expectReadyz({ optOuts }, 'opt-outs: EACCES\n', 'milter');
  await expectReadyz({ optOuts }, 'ready\n', 'redirect');
});

test('/readyz says once what is missing for links and for opt-outs', async () => {
  await expectReadyz({ health: away, optOuts: { hasAny: away } }, 'Redis is away\n', 'milter');
});

async function expectReadyz(
  {
    health = async () => ({ failures: [] }),
    optOuts = { hasAny: async () => false },
  }: { health?: (() => Promise<unknown>) | undefined; optOuts?: OptOuts },
  expected: string,
  role: Role,
  others?: OtherProcesses,
): Promise<void> {
  const port = await freePort();
  const releasers = new Releasers();
  onTestFinished(() => releasers.release(1000));
  const links = { store: { health, optOuts } } as unknown as Links;
  const context = {
    links,
    metrics: new ProcessMetrics('main', '1'),
    releasers,
  } as unknown as Context;
  await serveControl([{ host: '127.0.0.1', port }], context, [role, 'control'], others);
  const response = await fetch(`http://127.0.0.1:${port}/readyz`);
  expect(await response.text()).toBe(expected);
  expect(response.status).toBe(expected === 'ready\n' ? 200 : 503);
}

const IN_USE = {
  pid: 1,
  file: '/c.conf',
  roles: ['milter'],
  processes: [{ workers: 'restart 5a' }],
};

let server: Server | undefined;
afterEach(() => server?.close());

async function listen(options: Partial<ControlOptions> = {}): Promise<string> {
  const inUse = async () => IN_USE;
  server = createControlServer({
    ready: async () => [],
    inUse,
    snapshots: async () => [],
    trackingHosts: () => new Set(['click.example.com', 'xn--bcher-kva.example']),
    ...options,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function get(url: string, init?: RequestInit): Promise<[status: number, text: string]> {
  const response = await fetch(url, init);
  return [response.status, await response.text()];
}

describe('the control server', () => {
  test.each<[string, string, RequestInit, Partial<ControlOptions>, [number, string]]>([
    ['alive', '/healthz', {}, {}, [200, 'alive\n']],
    ['alive, asked with a query', '/healthz?verbose', {}, {}, [200, 'alive\n']],
    ['ready', '/readyz', {}, {}, [200, 'ready\n']],
    [
      'a tracking domain',
      '/tls-ask?domain=click.example.com',
      {},
      {},
      [200, 'a tracking domain\n'],
    ],
    ['in capitals', '/tls-ask?domain=Click.Example.COM.', {}, {}, [200, 'a tracking domain\n']],
    [
      'an international one',
      '/tls-ask?domain=xn--bcher-kva.example',
      {},
      {},
      [200, 'a tracking domain\n'],
    ],
    ...['?domain=example.com', '?domain=a.click.example.com', '?domain=', ''].map(
      (query): [string, string, RequestInit, Partial<ControlOptions>, [number, string]] => [
        'another domain',
        `/tls-ask${query}`,
        {},
        {},
        [404, 'expected ?domain= with a tracking domain of the configuration\n'],
      ],
    ),
    ['HEAD', '/readyz', { method: 'HEAD' }, {}, [200, '']],
    [
      'not ready, and why',
      '/readyz',
      {},
      { ready: async () => ['redis: connection refused', 'events: disk full'] },
      [503, 'redis: connection refused\nevents: disk full\n'],
    ],
    [
      'a check that fails',
      '/readyz',
      {},
      { ready: () => Promise.reject(new Error('no worker answers')) },
      [503, 'no worker answers\n'],
    ],
    [
      'a check that hangs',
      '/readyz',
      {},
      { ready: () => new Promise(() => {}), readyWithinMs: 10 },
      [503, 'no answer within 10 ms\n'],
    ],
    [
      'metrics that cannot be had',
      '/metrics',
      {},
      { snapshots: () => Promise.reject(new Error('no worker answers')) },
      [500, 'no worker answers\n'],
    ],
    [
      'anything else',
      '/',
      {},
      {},
      [404, 'expected one of /healthz /readyz /config /metrics /tls-ask\n'],
    ],
    ['a method that changes things', '/healthz', { method: 'POST' }, {}, [405, 'GET or HEAD\n']],
  ])('%s', async (_, path, init, options, expected) => {
    expect(await get(`${await listen(options)}${path}`, init)).toEqual(expected);
  });

  test('the settings in use, and no others are read', async () => {
    const [status, text] = await get(`${await listen()}/config`);
    expect([status, readInUse(JSON.parse(text))]).toEqual([200, IN_USE]);
    const odd: unknown[] = [undefined, null, 1, 'text', [], {}];
    for (const name of Object.keys(IN_USE)) {
      for (const value of odd) {
        if (name === 'roles' && Array.isArray(value)) continue;
        if (name === 'processes' && Array.isArray(value)) continue;
        if (name === 'file' && value === 'text') continue;
        if (name === 'pid' && value === 1) continue;
        expect(readInUse({ ...IN_USE, [name]: value })).toBeUndefined();
      }
    }
    for (const value of odd) expect(readInUse(value)).toBeUndefined();
    for (const one of [null, 1, 'text', { workers: 2 }]) {
      expect(readInUse({ ...IN_USE, processes: [one] })).toBeUndefined();
    }
  });

  test('metrics in the format Prometheus asks for', async () => {
    const metrics = new ProcessMetrics('main', '1.2.3');
    metrics.count('redirects_total', { status: '302' });
    const url = await listen({ snapshots: async () => [await metrics.snapshot()] });
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toContain(
      'clickmilter_redirects_total{status="302",worker="main"} 1',
    );
  });
});
