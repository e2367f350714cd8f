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

/** The engagement page of a store in memory, without a socket. */
export async function openWeb(options: Partial<WebOptions> = {}) {
  const store = createMemoryStore();
  const { app, close } = await createWeb({
    version: '1.2.3',
    maxRequests: 8,
    reports: store.counters,
    logger: silent,
    ...options,
  });
  onTestFinished(close);
  const get = async (
    url: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<WebAnswer> => app.inject({ url, headers });
  return {
    app,
    store,
    get,
    json: async (url: string) => {
      const answer = await get(url, { accept: 'application/json' });
      return { status: answer.statusCode, body: JSON.parse(answer.body) };
    },
  };
}
