import { createServer } from 'node:net';
import { listenLocally } from './listen-locally.ts';

/** Whoever was given one may not listen yet. */
const given = new Set<number>();

/** A TCP port of the loopback that nobody listens on, for peers that cannot be told "any"; never the same twice. */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer();
    const port = await listenLocally(server);
    await new Promise((resolve) => server.close(resolve));
    if (!given.has(port)) {
      given.add(port);
      return port;
    }
  }
}
