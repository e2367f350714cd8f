import { onTestFinished } from 'vitest';
import { silent } from '../../src/lib/logger.ts';
import { createWeb, type WebOptions } from '../../src/web/web.ts';
import { createMemoryStore } from './memory-store/store.ts';

/** What tests look at in an answer. */
export interface WebAnswer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

export interface WebRequest {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The fields of a form. */
  readonly form?: Readonly<Record<string, string>>;
  readonly remoteAddress?: string;
}

/** The engagement page of a store in memory, without a socket. */
export async function openWeb(options: Partial<WebOptions> = {}) {
  const store = createMemoryStore();
  const web = await createWeb({
    version: '1.2.3',
    maxRequests: 8,
    hosts: [],
    reports: store.counters,
    previews: store.previews,
    events: store.events,
    detail: () => 'full',
    logger: silent,
    ...options,
  });
  onTestFinished(web.close);
  const send = async ({ form, headers, ...request }: WebRequest): Promise<WebAnswer> =>
    web.app.inject({
      ...request,
      headers: {
        host: 'localhost:8896',
        ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
        ...headers,
      },
      ...(form && { payload: new URLSearchParams(form).toString() }),
    });
  const get = (url: string, headers: Readonly<Record<string, string>> = {}) =>
    send({ url, headers });
  return {
    attach: web.attach,
    store,
    endSessions: web.endSessions,
    send,
    get,
    json: async (url: string) => {
      const answer = await get(url, { accept: 'application/json' });
      return { status: answer.statusCode, body: JSON.parse(answer.body) };
    },
  };
}
