import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { silent } from '../../src/lib/logger.ts';
import type { Role } from '../../src/service/listen.ts';
import { startService } from '../../src/service/service.ts';
import { configurationOf } from '../helpers/configuration.ts';
import { freePort } from '../helpers/free-port.ts';
import { listenLocally } from '../helpers/listen-locally.ts';

describe('the engagement page cannot listen', () => {
  const other = createServer();
  let taken: number;
  beforeAll(async () => {
    taken = await listenLocally(other);
  });
  afterAll(() => other.close());

  /** @param hasWorkers whether this is the primary of workers */
  async function start(roles: readonly Role[], hasWorkers: boolean) {
    const folder = await mkdtemp(join(tmpdir(), 'clickmilter-service-'));
    const [milter, control] = [await freePort(), await freePort()];
    const config = configurationOf(`link_store = sealed
state_directory = "${folder}"
Milter_Listener { Listen "127.0.0.1:${milter}" { } }
Control_Listener { Listen "127.0.0.1:${control}" { } }
Web_Listener { Listen "127.0.0.1:${taken}" { } }`);
    const error = vi.fn();
    const workers = { serving: () => 1, snapshots: async () => [], settings: async () => [] };
    const logger = { ...silent, level: 'info', error };
    onTestFinished(() => rm(folder, { recursive: true }));
    const service = await startService(config, { logger, roles, ...(hasWorkers && { workers }) });
    onTestFinished(() => service.close());
    return { error, roles: [...service.addresses.keys()] };
  }

  test.each<{ roles: Role[]; hasWorkers: boolean; serves: Role[] }>([
    { roles: ['milter', 'events', 'web'], hasWorkers: false, serves: ['milter'] },
    { roles: ['events', 'web', 'control'], hasWorkers: true, serves: ['control'] },
  ])('goes on with mail: $roles, $hasWorkers', async ({ roles, hasWorkers, serves }) => {
    const started = await start(roles, hasWorkers);
    expect(started.roles).toEqual(serves);
    expect(started.error.mock.calls).toEqual([
      [
        { reason: expect.stringContaining('EADDRINUSE') },
        'engagement page failed: it is not served, mail and clicks are',
      ],
    ]);
  });

  test('does not start alone', async () => {
    await expect(start(['web', 'control'], false)).rejects.toThrow('EADDRINUSE');
  });
});
