import { createHash } from 'node:crypto';
import { HOUR_MS } from '../lib/days.ts';
import { reasonOf } from '../lib/logger.ts';
import type { StoredEvent } from '../store/events.ts';
import { signature } from './events.ts';

/** One batch and how to send it. */
export interface BatchRequest {
  readonly webhook: string;
  readonly id: string;
  readonly events: readonly StoredEvent[];
  readonly webhookTimeoutMs: number;
  /** Ends the attempt before its time. */
  readonly signal?: AbortSignal;
  readonly webhookToken?: string;
  readonly webhookSecret?: string;
}

/** A batch is delivered when a 2xx comes in time. */
export type BatchAnswer =
  | { readonly delivered: true }
  | {
      readonly delivered: false;
      readonly reason: string;
      /** Of HTTP, where there was an answer. */
      readonly status?: number;
      readonly retryAfterMs?: number;
    };

/** The longest pause that a server may ask for. */
const MAX_RETRY_AFTER_MS = HOUR_MS;

/**
 * Sorts events by their ids, each of which ends in a number. After a crash the events of several
 * writers may be read in another order, and must form the same batch.
 */
export function inOrder(events: readonly StoredEvent[]): StoredEvent[] {
  const places = events.map((event) => {
    const digits = event.id.search(/\d*$/);
    return { event, place: event.id.slice(0, digits), number: Number(event.id.slice(digits)) };
  });
  places.sort((a, b) => (a.place === b.place ? a.number - b.number : a.place < b.place ? -1 : 1));
  return places.map(({ event }) => event);
}

/**
 * The id of a batch: a digest of the ids of its events, so that the same batch has the same id
 * after a crash.
 */
export function batchId(events: readonly StoredEvent[]): string {
  const hash = createHash('sha256');
  for (const { id } of events) hash.update(`${id}\n`);
  const hex = hash.digest('hex');
  return hex.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/**
 * Posts a batch once. Redirects are not followed: token and events are for the configured server
 * only.
 */
export async function postBatch(request: BatchRequest): Promise<BatchAnswer> {
  const { webhook, webhookTimeoutMs, signal } = request;
  // AbortSignal.any() over AbortSignal.timeout() would be shorter; in Node 20 such a timer may be
  // collected before it fires.
  const attempt = new AbortController();
  const end = (reason: string) => attempt.abort(new Error(reason));
  const timer = setTimeout(end, webhookTimeoutMs, `no answer within ${webhookTimeoutMs} ms`);
  const cutOff = () => end('cut off');
  signal?.addEventListener('abort', cutOff);
  try {
    const target = new URL(webhook);
    const authorization = basicAuth(target);
    const body = `[${request.events.map(({ event }) => event).join(',')}]`;
    const response = await fetch(target, {
      method: 'POST',
      headers: {
        ...headersOf(request, body),
        ...(authorization !== undefined && { authorization }),
      },
      body,
      redirect: 'manual',
      signal: attempt.signal,
    });
    // The body is not read, but the connection has to be released.
    await response.body?.cancel();
    if (response.ok) return { delivered: true };
    const retryAfterMs = retryAfter(response.headers.get('retry-after'));
    return {
      delivered: false,
      status: response.status,
      reason: describeStatus(response),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    };
  } catch (error) {
    return { delivered: false, reason: reasonOf(error) };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', cutOff);
  }
}

function describeStatus({ status, headers }: Response): string {
  const location = status >= 300 && status < 400 ? headers.get('location') : null;
  if (location === null) return `HTTP ${status}`;
  // The rest often repeats the webhook's own path and query, which may be secrets.
  const to = URL.canParse(location) ? new URL(location).origin : 'another path';
  return `HTTP ${status} to ${to}: redirects are not followed, set webhook to the final URL`;
}

function headersOf(
  { id, webhookToken, webhookSecret }: BatchRequest,
  body: string,
): Record<string, string> {
  const seconds = Math.floor(Date.now() / 1000);
  return {
    'content-type': 'application/json',
    'user-agent': 'clickmilter',
    'x-messagesystems-batch-id': id,
    ...(webhookToken !== undefined && { 'x-messagesystems-webhook-token': webhookToken }),
    ...(webhookSecret !== undefined && {
      'x-clickmilter-signature': signature(body, webhookSecret, seconds),
    }),
  };
}

/**
 * Removes name and password from a URL, because fetch refuses them there, and returns the header
 * for them.
 */
function basicAuth(url: URL): string | undefined {
  if (url.username + url.password === '') return undefined;
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = '';
  url.password = '';
  return `Basic ${Buffer.from(login).toString('base64')}`;
}

/** Parses Retry-After: a number of seconds, or a date. */
function retryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  const isDate = /^[A-Z][a-z]{2,8},? /.test(header);
  const ms = /^\d+$/.test(header)
    ? Number(header) * 1000
    : isDate
      ? Date.parse(header) - Date.now()
      : Number.NaN;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS);
}
