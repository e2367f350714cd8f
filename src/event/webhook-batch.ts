import { createHash, createHmac } from 'node:crypto';
import type { StoredEvent } from '../link/event-stream.ts';

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
  | { readonly delivered: false; readonly reason: string; readonly retryAfterMs?: number };

/** No server decides that we wait for longer than this. */
const MAX_RETRY_AFTER_MS = 3_600_000;

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
  const { url, id, events, timeoutMs, signal, token, secret } = request;
  const body = `[${events.map(({ event }) => event).join(',')}]`;
  const target = new URL(url);
  const authorization = basicAuth(target);
  const seconds = Math.floor(Date.now() / 1000);
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'user-agent': 'clickmilter',
    'x-messagesystems-batch-id': id,
    ...(token !== undefined && { 'x-messagesystems-webhook-token': token }),
    ...(secret !== undefined && { 'x-clickmilter-signature': signature(secret, seconds, body) }),
    ...(authorization !== undefined && { authorization }),
  };
  // AbortSignal.any() over AbortSignal.timeout() would be shorter; in Node 20 such a timer may be collected before it fires.
  const attempt = new AbortController();
  const end = (reason: string) => attempt.abort(new Error(reason));
  const timer = setTimeout(end, timeoutMs, `no answer within ${timeoutMs} ms`);
  const cutOff = () => end('cut off');
  signal?.addEventListener('abort', cutOff);
  try {
    const response = await fetch(target, {
      method: 'POST',
      headers,
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
      reason: `HTTP ${response.status}`,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    };
  } catch (error) {
    return { delivered: false, reason: reasonOf(error) };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', cutOff);
  }
}

/** Takes name and password out of a URL, where fetch does not want them. */
function basicAuth(url: URL): string | undefined {
  if (url.username === '') return undefined;
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  url.username = '';
  url.password = '';
  return `Basic ${Buffer.from(login).toString('base64')}`;
}

function retryAfter(header: string | null): number | undefined {
  if (header === null || !/^\d+$/.test(header)) return undefined;
  return Math.min(Number(header) * 1000, MAX_RETRY_AFTER_MS);
}

/** fetch says "fetch failed" and keeps to itself why, but for the cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message || String(cause)}` : message;
}
