import { onTestFinished } from 'vitest';
import { silent } from '../../src/lib/logger.ts';
import { newSealKey, SealKeys } from '../../src/link/seal-keys.ts';
import { createSealedLinks } from '../../src/link/sealed-links.ts';
import { linksOf } from '../../src/service/links.ts';
import { Rulings } from '../../src/store/rulings.ts';
import type { Store } from '../../src/store/store.ts';
import { createWeb, type WebOptions } from '../../src/web/web.ts';
import { createMemoryStore } from './memory-store/store.ts';

/** What tests look at in an answer. */
export interface WebAnswer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

export interface WebRequest {
  readonly method?: 'DELETE' | 'GET' | 'HEAD' | 'OPTIONS' | 'PATCH' | 'POST' | 'PUT';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The fields of a form. */
  readonly form?: Readonly<Record<string, string>>;
  readonly remoteAddress?: string;
}

/** Seals links for click.example.com, the tracking domain of these tests. */
const key = new SealKeys([newSealKey([], 0)]);
export const sealed = createSealedLinks(
  () => key,
  () => ['click.example.com'],
);

export function messages(store: Store): WebOptions['messages'] {
  const { resolver } = linksOf(store, sealed);
  const trackingHosts = () => new Set(['click.example.com']);
  return {
    store,
    resolver,
    trackingHosts,
    rulings: new Rulings({ resolver, blocks: store.blocks, trackingHosts }),
    detail: () => 'full',
    explainPathway: (pathway = 'none') => [
      { option: 'dry_run', value: 'false', source: `pathway ${pathway}` },
    ],
  };
}

/** The engagement page of a store in memory, without a socket. */
export async function openWeb({
  messages: given = {},
  ...options
}: Partial<Omit<WebOptions, 'messages'> & { messages: Partial<WebOptions['messages']> }> = {}) {
  const store = createMemoryStore();
  const web = await createWeb({
    version: '1.2.3',
    maxRequests: 8,
    hosts: [],
    reports: store.counters,
    previews: store.previews,
    events: store.events,
    messages: { ...messages(store), ...given },
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
