import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Metrics } from '../lib/metrics.ts';
import { EVENTS_PATH } from './live.ts';
import { refuse } from './respond.ts';

/** A connection on which nothing moves for so long is closed; events have a beat more often. */
const STALLED_MS = 60_000;
/** Requests that one connection may send before their answers have left: browsers send one. */
const MAX_UNANSWERED = 8;

/**
 * Refuses views while too many are in progress. Requests count from the end of their body on, and
 * only those that may look: a stranger who sends or reads slowly takes no place. A view whose client
 * has gone counts until its work is done.
 */
export function limitRequests(app: FastifyInstance, maxRequests: number, metrics: Metrics): void {
  let inProgress = 0;
  /** The requests that wait for the work of each view. */
  const working = new WeakMap<FastifyRequest, () => void>();
  metrics.count('web_refused_total', { limit: 'max_requests' }, 0);
  app.addHook('preValidation', async (request, reply) => {
    const { url, config } = request.routeOptions;
    // The client may have gone while its body came: then nothing would end the count.
    if (config.isPublic === true || url === EVENTS_PATH || reply.raw.destroyed) return;
    if (inProgress >= maxRequests) {
      metrics.count('web_refused_total', { limit: 'max_requests' });
      reply.header('retry-after', '1');
      return refuse(request, reply, 503, 'too many requests are in progress: try again');
    }
    inProgress++;
    const done = new Promise<void>((resolve) => working.set(request, resolve));
    reply.raw.once('close', async () => {
      await done;
      inProgress--;
    });
  });
  app.addHook('onSend', async (request) => working.get(request)?.());
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Answers the requests of a server, and drops connections whose client does not read. */
export function answerRequests(server: Server, answer: Answer): void {
  const unanswered = new WeakMap<Socket, number>();
  server.setTimeout(STALLED_MS);
  server.on('request', (request, response) => {
    const { socket } = request;
    const before = unanswered.get(socket) ?? 0;
    if (before >= MAX_UNANSWERED) {
      socket.destroy();
      return;
    }
    unanswered.set(socket, before + 1);
    response.once('close', () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1));
    answer(request, response);
  });
}
