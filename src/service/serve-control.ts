import type { MetricsSnapshot } from '../control/metrics.ts';
import { createControlServer } from '../control/server.ts';
import type { Context } from './context.ts';
import type { Links } from './links.ts';
import { listening, type Place } from './listen.ts';

/** Health and metrics, until they are released. @param others metrics of other processes */
export async function serveControl(
  listens: readonly Place[],
  { links, metrics, releasers }: Context,
  others: () => Promise<readonly MetricsSnapshot[]> = async () => [],
): Promise<void> {
  for (const place of listens) {
    const server = createControlServer({
      ready: () => notReady(links),
      snapshots: async () => [await metrics.snapshot(), ...(await others())],
    });
    await listening(server, place);
    releasers.add('control', () => {
      server.close();
      server.closeAllConnections();
    });
  }
}

async function notReady({ store }: Links): Promise<string[]> {
  try {
    await store?.health();
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}
