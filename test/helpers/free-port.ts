import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/**
 * No system takes these for outgoing connections, so a port given here is still free when its peer listens, and
 * after a restart. The bus of a Redis Cluster is 10,000 above its port. Browsers refuse 10080.
 */
const FIRST = 11_000;
const END = 20_000;

/** Whoever was given one may not listen yet. */
const given = new Set<number>();

/** A TCP port of the loopback that nobody listens on, for peers that cannot be told "any"; never the same twice. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, END);
    if (!given.has(port) && (await nobodyListens(port))) {
      given.add(port);
      return port;
    }
  }
}

function nobodyListens(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    });
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
