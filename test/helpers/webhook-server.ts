import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface ReceivedBatch {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  readonly events: readonly { msys: { track_event: { event_id: string } } }[];
}

/** What the server does with a batch once it has read it. */
export type Behaviour = (response: ServerResponse, socket: Socket) => void | Promise<void>;

export const accept: Behaviour = (response) => void response.writeHead(200).end('ok');
export const status =
  (code: number, headers: Record<string, string> = {}): Behaviour =>
  (response) =>
    void response.writeHead(code, headers).end('no');
export const hang: Behaviour = () => undefined;
export const reset: Behaviour = (_response, socket) => void socket.resetAndDestroy();
export const garbage: Behaviour = (_response, socket) => void socket.end('SSH-2.0-OpenSSH_9.2\r\n');
export const halfAnswer: Behaviour = (_response, socket) => void socket.end('HTTP/1.1 200 O');

/**
 * A real HTTP server for webhooks: it behaves as told for each batch in turn, and then well.
 * @param judge what it does with a batch for which it was told nothing
 */
export async function startWebhookServer(
  behaviours: Behaviour[] = [],
  judge: (batch: ReceivedBatch) => Behaviour = () => accept,
) {
  const batches: ReceivedBatch[] = [];
  const server = createServer(async (request: IncomingMessage, response) => {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    const batch = { headers: request.headers, body, events: JSON.parse(body) };
    batches.push(batch);
    await (behaviours.shift() ?? judge(batch))(response, request.socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    batches,
    behaviours,
    url: `http://127.0.0.1:${port}/hook`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
