import { writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { silent } from '../../src/lib/logger.ts';
import type { Role } from '../../src/service/listen.ts';
import { startService } from '../../src/service/service.ts';
import { PreviewFiles } from '../../src/store/local/previews.ts';
import { configurationOf } from '../helpers/configuration.ts';
import { freePort } from '../helpers/free-port.ts';
import { listenLocally } from '../helpers/listen-locally.ts';
import { poll } from '../helpers/poll.ts';
import { recordedLog } from '../helpers/recorded.ts';

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
        'engagement page failed: mail and clicks are served, and a reload tries it again',
      ],
    ]);
  });

  test('does not start alone', async () => {
    await expect(start(['web', 'control'], false)).rejects.toThrow('EADDRINUSE');
  });
});

describe('a page whose token_file cannot be used', () => {
  async function start() {
    const folder = await mkdtemp(join(tmpdir(), 'clickmilter-service-'));
    const [milter, web, control] = [await freePort(), await freePort(), await freePort()];
    const configured = (level: string) =>
      configurationOf(`link_store = sealed
state_directory = "${folder}"
log { level = ${level} }
Milter_Listener { Listen "127.0.0.1:${milter}" { } }
Control_Listener { Listen "127.0.0.1:${control}" { } }
Web_Listener { Listen "127.0.0.1:${web}" { } token_file = "${folder}/token" }`);
    const { logger: recorder, lines } = recordedLog();
    const logger = { ...recorder, level: 'info' };
    onTestFinished(() => rm(folder, { recursive: true }));
    writeFileSync(join(folder, 'token'), 'short');
    const roles: Role[] = ['milter', 'web', 'control'];
    const service = await startService(configured('info'), { logger, roles });
    onTestFinished(() => service.close());
    return {
      ...{ service, configured, logger, web, control },
      repair: () => writeFileSync(join(folder, 'token'), '0123456789abcdef'),
      errors: () => lines.filter(({ level }) => level === 'error').map(({ reason }) => reason),
    };
  }

  test('is tried again by each reload, which goes on without it', async () => {
    const { service, configured, logger, web, control, repair, errors } = await start();
    const broken = expect.stringContaining('expected one line of 16 to 512');
    expect(errors()).toEqual([broken]);
    vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 2_000); // of the same line
    await service.reload(configured('warn'));
    expect([logger.level, errors()]).toEqual(['warn', [broken, broken]]);

    repair();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(web, '127.0.0.1', resolve));
    await service.reload(configured('info'));
    expect(errors().at(-1)).toContain('EADDRINUSE');
    await new Promise((resolve) => other.close(resolve));
    await service.reload(configured('info'));
    expect(errors()).toHaveLength(3);
    expect([...service.addresses.keys()]).toContain('web');
    const headers = { authorization: 'Bearer 0123456789abcdef' };
    expect((await fetch(`http://127.0.0.1:${web}/`, { headers })).status).toBe(200);
    const metrics = await (await fetch(`http://127.0.0.1:${control}/metrics`)).text();
    expect(metrics).toContain('clickmilter_web_live_viewers{worker="main"} 0');
    expect(metrics).toMatch(/^clickmilter_web_requests_total\{view="\/",status="200",.*\} 1$/m);
    await service.close();
    await expect(fetch(`http://127.0.0.1:${web}/`)).rejects.toThrow();
  });

  test('is not left open by a reload during which the service stops', async () => {
    const { service, configured, web, repair, errors } = await start();
    repair();
    const reloading = service.reload(configured('info'));
    await service.close();
    await reloading;
    expect(errors()).toHaveLength(1);
    await expect(fetch(`http://127.0.0.1:${web}/`)).rejects.toThrow();
  });
});

test.each<Role>(['events', 'web'])(
  'counts are summed up, and expired previews removed, by the role events: %s',
  async (role) => {
    const folder = await mkdtemp(join(tmpdir(), 'clickmilter-service-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const journal = join(folder, 'events');
    await mkdir(journal);
    const line = '["click2","05","m1","spring","","",[],"html",1,"Shop",1,0]\n';
    await writeFile(join(journal, 'counts-2026-01-01.host.1.jsonl'), line);
    const previews = join(folder, 'previews');
    await new PreviewFiles(previews).add('old', '<a data-link="0">Shop</a>', 1);
    const [preview = ''] = (await readdir(previews)).filter((name) => name.endsWith('.preview'));
    await utimes(join(previews, preview), new Date(), new Date(Date.now() - 1000));
    const config = configurationOf(`link_store = sealed
state_directory = "${folder}"
events { journal = "${journal}" previews = "${previews}" }
Web_Listener { Listen "127.0.0.1:${await freePort()}" { } }`);
    const service = await startService(config, {
      logger: { ...silent, level: 'info' },
      roles: [role],
    });
    onTestFinished(() => service.close());
    const sums = async () => (await readdir(journal)).filter((name) => name.endsWith('.sums'));
    const isKept = async () => (await readdir(previews)).includes(preview);
    if (role === 'events') {
      await poll('the sums', async () => (await sums()).length === 1);
      await poll('the preview to be removed', async () => !(await isKept()));
    } else {
      expect([await sums(), await isKept()]).toEqual([[], true]);
    }
  },
);
