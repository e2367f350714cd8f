import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../lib/metrics.ts';
import { EVENTS_PATH } from './live.ts';

/** Counts every answer by view, and measures how long it takes. */
export function measureRequests(app: FastifyInstance, metrics: Metrics): void {
  app.addHook('onRequest', async (request, { raw }) => {
    measureAnswer(metrics, raw, request.routeOptions.url);
  });
}

/** @param view the path of a route; there are few of them */
export function measureAnswer(metrics: Metrics, answer: ServerResponse, view = '(none)'): void {
  const begun = performance.now();
  answer.once('close', () => {
    const status = answer.headersSent ? String(answer.statusCode) : '(none)';
    metrics.count('web_requests_total', { view, status });
    // A stream of events takes as long as somebody looks.
    if (view === EVENTS_PATH) return;
    metrics.observe('web_request_duration_seconds', { view }, (performance.now() - begun) / 1000);
  });
}
