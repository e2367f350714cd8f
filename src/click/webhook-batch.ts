import { createHash, createHmac } from 'node:crypto';
import type { StoredEvent } from '../store/events.ts';

/** One batch and how to send it. */
export interface BatchRequest {
  readonly url: string;
  readonly id: string;
  readonly events: readonly StoredEvent[];
  readonly timeoutMs: number;
  /** Ends the attempt before its time. */
  readonly signal?: AbortSignal;
  readonly token?: string;
  readonly secret?: string;
}

/** Anything but a 2xx in time is no delivery. */
export type BatchAnswer =
  | { readonly delivered: true }
  | {
      readonly delivered: false;
      readonly reason: string;
      /** Of HTTP, where there was an answer. */
      readonly status?: number;
      readonly retryAfterMs?: number;
    };

/** No server decides that we wait for longer than this. */
const MAX_RETRY_AFTER_MS = 3_600_000;

/**
 * The events in the order of their ids, of which each ends in a number: after a crash those of several writers are found in
 * another order than before it, and the batch must be the same.
 */
export function inOrder(events: readonly StoredEvent[]): StoredEvent[] {
  const places = events.map((event) => {
    const digits = event.id.search(/\d*$/);
    return { event, place: event.id.slice(0, digits), number: Number(event.id.slice(digits)) };
  });
  places.sort((a, b) => (a.place === b.place ? a.number - b.number : a.place < b.place ? -1 : 1));
  return places.map(({ event }) => event);
}

/** The id of a batch follows from its events: a batch that is put together again after a crash has the same. */
export function batchId(events: readonly StoredEvent[]): string {
  const hash = createHash('sha256');
  for (const { id } of events) hash.update(`${id}\n`);
  const hex = hash.digest('hex');
  return hex.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/**
 * The value of X-Clickmilter-Signature: `t=SECONDS,v1=HEX`, an HMAC-SHA-256 over SECONDS, a dot and the body. The time
 * lets a receiver refuse what somebody recorded and sends again.
 */
export function signature(secret: string, seconds: number, body: string): string {
  const hmac = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${hmac}`;
}

/** One attempt. A redirect is not followed: the token and the events are for the one that was configured. */
export async function postBatch(request: BatchRequest): Promise<BatchAnswer> {
  const { url, timeoutMs, signal } = request;
  // AbortSignal.any() over AbortSignal.timeout() would be shorter; in Node 20 such a timer may be collected before it fires.
  const attempt = new AbortController();
  const end = (reason: string) => attempt.abort(new Error(reason));
  const timer = setTimeout(end, timeoutMs, `no answer within ${timeoutMs} ms`);
  const cutOff = () => end('cut off');
  signal?.addEventListener('abort', cutOff);
  try {
    const target = new URL(url);
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
    // What it says is not read, but the connection has to be given back.
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
  // The rest of it often repeats the webhook's own path and query, which may be secrets.
  const to = URL.canParse(location) ? new URL(location).origin : 'another path';
  return `HTTP ${status} to ${to}: redirects are not followed, set webhook to the final URL`;
}

function headersOf({ id, token, secret }: BatchRequest, body: string): Record<string, string> {
  const seconds = Math.floor(Date.now() / 1000);
  return {
    'content-type': 'application/json',
    'user-agent': 'clickmilter',
    'x-messagesystems-batch-id': id,
    ...(token !== undefined && { 'x-messagesystems-webhook-token': token }),
    ...(secret !== undefined && { 'x-clickmilter-signature': signature(secret, seconds, body) }),
  };
}

/** Takes name and password out of a URL, where fetch does not want them. */
function basicAuth(url: URL): string | undefined {
  if (url.username === '') return undefined;
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = '';
  url.password = '';
  return `Basic ${Buffer.from(login).toString('base64')}`;
}

/** Retry-After is a number of seconds or a date. */
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

/** fetch says "fetch failed" and keeps to itself why, but for the cause. */
export function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message || String(cause)}` : message;
}
