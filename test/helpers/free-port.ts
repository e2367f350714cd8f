import { createServer } from 'node:net';
import { listenLocally } from './listen-locally.ts';

/** A TCP port of the loopback that nobody listens on, for peers that cannot be told "any". */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listenLocally(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}
