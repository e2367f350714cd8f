import type { Context } from './context.ts';
import { createControlServer } from './control-server.ts';
import type { Links } from './links.ts';
import { listening, type Place } from './listen.ts';
import type { MetricsSnapshot } from './metrics.ts';

/** The other processes of the service, as the primary sees them. */
export interface OtherProcesses {
  /** How many serve now. */
  serving(): number;
  snapshots(): Promise<readonly MetricsSnapshot[]>;
}

/** Health and metrics, until they are released. @param workers where this process only sees to others that serve */
export async function serveControl(
  listens: readonly Place[],
  { links, metrics, releasers }: Context,
  workers?: OtherProcesses,
): Promise<void> {
  for (const place of listens) {
    const server = createControlServer({
      ready: async () => [
        ...(workers?.serving() === 0 ? ['no worker serves'] : []),
        ...(await unavailable(links)),
      ],
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
