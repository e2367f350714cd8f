import type { Settings } from '../config/settings.ts';
import type { Context } from './context.ts';
import { createControlServer } from './control-server.ts';
import type { Links } from './links.ts';
import { listening, type Place, type Role } from './listen.ts';
import type { MetricsSnapshot } from './metrics.ts';

/** The other processes of the service, as the primary sees them. */
export interface OtherProcesses {
  /** How many serve now. */
  serving(): number;
  snapshots(): Promise<readonly MetricsSnapshot[]>;
  /** The settings in use, of each. */
  settings(): Promise<readonly Settings[]>;
}

/**
 * Health, metrics and the settings in use, until they are released.
 * @param roles of the service, its workers included
 * @param workers where this process only sees to others that serve
 */
export async function serveControl(
  listens: readonly Place[],
  { links, metrics, releasers, config }: Context,
  roles: readonly Role[],
  workers?: OtherProcesses,
): Promise<void> {
  for (const place of listens) {
    const server = createControlServer({
      ready: async () => [
        ...(workers?.serving() === 0 ? ['no worker serves'] : []),
        ...(await unavailable(links)),
      ],
      inUse: async () => ({
        pid: process.pid,
        file: config().file,
        roles,
        processes: [config().settings(), ...((await workers?.settings()) ?? [])],
      }),
      snapshots: async () => [await metrics.snapshot(), ...((await workers?.snapshots()) ?? [])],
    });
    await listening(server, place);
    releasers.add('control', () => {
      server.close();
      server.closeAllConnections();
    });
  }
}

async function unavailable({ store }: Links): Promise<string[]> {
  try {
    await store?.health();
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}
