import type { IncomingMessage, ServerResponse } from 'node:http';
import { ClickRecorder } from '../../src/click/click-recorder.ts';
import { MAX_TARGET } from '../../src/link/fact.ts';
import { encodeRecord, OpenRecord } from '../../src/link/message-record.ts';
import { createRedirect } from '../../src/redirect/redirect.ts';
import { withEncodedTarget } from '../../src/redirect/unreadable-requests.ts';
import { BlockSet } from '../../src/store/block-set.ts';
import type { Block, Retarget, Ruling } from '../../src/store/store.ts';
import { localClicks } from '../helpers/local-clicks.ts';
import { eventsDefaults, httpDefaults } from '../helpers/option-defaults.ts';
import { exampleMessage } from '../link/example-message.ts';
import { DOMAIN, resolvedLink, tokenNamed } from '../redirect/fake-links.ts';
import type { Load, Product } from './growth.ts';
import { sealed } from './sealed.ts';

interface Request {
  readonly path: string;
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
}

interface Endpoint {
  /** By default each token is that of a link of a message of its own. */
  readonly resolve?: Parameters<typeof createRedirect>[0]['resolver']['resolve'];
  readonly blocks?: readonly Ruling[];
  readonly networks?: readonly string[];
}

/**
 * Requests, one after the other, to the endpoint with all that keeps their clicks.
 * @param mail bytes of the mail in which the links were
 */
function requests(
  count: number,
  request: (index: number) => Request,
  { resolve = async (token) => linkOf(token), blocks = [], networks = [] }: Endpoint = {},
  mail = 0,
): Load {
  const all = Array.from({ length: Math.ceil(count) }, (_, index) => request(index));
  const bytes = all.reduce((sum, one) => sum + JSON.stringify(one).length, mail);
  const run = async () => {
    let output = 0;
    const set = new BlockSet(blocks);
    const append = async (events: readonly string[]) => {
      for (const event of events) output += event.length;
    };
    const clicks = new ClickRecorder({
      ...eventsDefaults,
      automaticWithinMs: 2000,
      automaticNetworks: networks,
      events: localClicks({ append }),
    });
    const answer = createRedirect({
      clicks,
      ...httpDefaults,
      optOuts: { hasAny: async () => false },
      resolver: { resolve },
      blocks: { find: (token, resolved) => set.find(token, resolved) },
      trustedProxies: ['192.0.2.0/24', '2001:db8::/32'],
    });
    for (const { path, method = 'GET', headers = {} } of all) {
      const asked = {
        method,
        url: path,
        httpVersion: '1.1',
        headers: { host: DOMAIN, ...headers },
        rawHeaders: ['Host', DOMAIN, ...Object.entries(headers).flat()],
        socket: { remoteAddress: '192.0.2.1' },
      };
      await new Promise<void>((resolve) => {
        const response = { writeHead: () => response, end: () => resolve(), destroy: resolve };
        answer(asked as unknown as IncomingMessage, response as unknown as ServerResponse);
      });
    }
    await clicks.close();
    return output;
  };
  return { bytes, run };
}

const linkOf = (token: string, target = 'https://example.org/', facts = {}) =>
  resolvedLink({ target }, { messageId: token.slice(1, 17), ...facts }, 10);
/** A token with a message id and a number of its own. */
const token = (index: number) => tokenNamed(index.toString(36).padStart(16, 'x'));
const path = (index: number) => `/${token(index)}`;
const agent = (index: number, length = 100) => ({
  'user-agent': `Mozilla/5.0 (${'x'.repeat(length)} ${index})`,
});
const client = (index: number) => ({
  'x-forwarded-for': `203.0.${(index >> 8) & 255}.${index & 255}`,
});

/** A request of a reader or of a program that is answered, and its click: factors of mail and of visitors. */
export const products: Readonly<Record<string, Product>> = {
  'target × clicks': (n) => {
    const target = `https://example.org/${'x'.repeat(n)}`.slice(0, MAX_TARGET);
    const resolve = async (token: string) => linkOf(token, target);
    // So many that the small load has the compiler's time too, which is longer than its own.
    return requests(n / 5, (i) => ({ path: path(i) }), { resolve }, target.length);
  },
  'facts × clicks': (n) => {
    const long = 'x'.repeat(4 * n);
    const facts = { subject: long, sender: long, queueId: long, metadata: { long }, tags: [long] };
    const of = linkOf(token(0), undefined, facts);
    const resolve = async () => of;
    return requests(n / 100, (i) => ({ path: path(i) }), { resolve }, JSON.stringify(of).length);
  },
  'name × clicks': (n) => {
    const of = resolvedLink({ name: 'n'.repeat(n) });
    return requests(n / 20, (i) => ({ path: path(i) }), { resolve: async () => of }, n);
  },
  'clicks × one token': (n) =>
    requests(n / 5, (i) => ({ path: path(0), headers: { ...agent(i), ...client(i) } })),
  'tokens × clients': (n) =>
    requests(n / 5, (i) => ({ path: path(i), headers: { ...agent(i), ...client(i) } })),
  'links of one message × clients': (n) => {
    const side = Math.ceil(Math.sqrt(n));
    const resolve = async () => linkOf(token(0));
    return requests(
      side ** 2,
      (i) => ({ path: path(i % side), headers: client(Math.floor(i / side)) }),
      { resolve },
    );
  },
  'HEAD requests × tokens': (n) =>
    requests(n / 5, (i) => ({ path: path(i % 5000), method: i % 2 ? 'HEAD' : 'GET' })),
  'user agent × clicks': (n) =>
    requests(n / 100, (i) => ({ path: path(i), headers: agent(i, n / 10) })),
  'languages × clicks': (n) =>
    requests(n / 100, (i) => ({
      path: path(i),
      headers: { 'accept-language': `${'de-DE,de;q=0.8,'.repeat(n / 500)}${i}` },
    })),
  'forwarded addresses × requests': (n) =>
    requests(n / 100, (i) => ({
      path: path(i),
      headers: { 'x-forwarded-for': '192.0.2.7, '.repeat(n / 100) },
    })),
  'headers × requests': (n) =>
    requests(n / 100, (i) => ({
      path: path(i),
      headers: Object.fromEntries(Array.from({ length: n / 200 }, (_, at) => [`x-${at}`, 'y'])),
    })),
  'path × requests': (n) =>
    requests(n / 100, (i) => ({ path: `${'/%2541'.repeat(Math.min(n / 10, 1300))}${i}` })),
  'components × spellings': (n) =>
    requests(n / 100, (i) => ({ path: `/1${'-'.repeat(20)}`.repeat(Math.min(n / 50, 350)) + i }), {
      resolve: async () => undefined,
    }),
  'bytes beyond ASCII × one request': (n) => {
    const head = `GET /${'\xe9'.repeat(n)} HTTP/1.1\r\n${'A: b\r\n'.repeat(n / 10)}\r\n`;
    const error = Object.assign(new Error(), { code: 'HPE_INVALID_URL' });
    const rawPacket = Buffer.from(head, 'latin1');
    const run = () => withEncodedTarget(Object.assign(error, { rawPacket }))?.length ?? 0;
    return { bytes: head.length, run };
  },
  'sealed token × requests': (n) => {
    const message = exampleMessage({ domain: DOMAIN });
    const target = `https://example.org/${'x'.repeat(Math.min(n / 4, 3500))}`;
    const links = sealed.issuer.issue(message);
    const tokens = Array.from({ length: n / 100 }, () => links.token({ target, part: 'html' }));
    return requests(tokens.length, (i) => ({ path: `/${tokens[i]}` }), sealed.resolver);
  },
  'links of a record × clicks on them': (n) => {
    const links = Array.from({ length: n / 4 }, (_, i) => ({
      target: `https://example.org/${i}?${'x'.repeat(80)}`,
      part: 'html' as const,
    }));
    const message = exampleMessage({ domain: DOMAIN });
    const record = encodeRecord({ message, secret: 's', links });
    const open = new OpenRecord(record, message.messageId);
    let at = 0;
    const resolve = async () => {
      const link = open.link(at++ % links.length);
      return link && { link, message, linkCount: links.length, isFor: () => true };
    };
    const mail = links.reduce((sum, { target }) => sum + target.length, 0);
    return requests(links.length, (i) => ({ path: path(i) }), { resolve }, mail);
  },
  'links of a record × its length, without queries and names': (n) => {
    const target = `.example.org/${'x'.repeat(80)}`;
    const links = Array.from({ length: n / 4 }, (_, i) => ({
      target: `https://${i}${target}`,
      part: 'html' as const,
    }));
    const message = exampleMessage({ domain: DOMAIN });
    const record = encodeRecord({ message, secret: 's', links });
    const run = () => new OpenRecord(record, message.messageId).length;
    return { bytes: record.length, run };
  },
  'parameters of a target × clicks that append some': (n) => {
    const target = `https://example.org/?${'a=1&'.repeat(n)}`.slice(0, MAX_TARGET);
    const appendQuery = `a=1&b=${'{pathway}'.repeat(13)}`;
    const facts = { appendQuery, pathway: 'ü'.repeat(n) };
    const resolve = async (token: string) => linkOf(token, target, facts);
    return requests(n / 20, (i) => ({ path: path(i) }), { resolve }, target.length + 2 * n);
  },
  'retargets × clicks': (n) => {
    const blocks = Array.from({ length: n / 20 }, (_, i): Retarget => {
      const kinds = ['token', 'message', 'url'] as const;
      const to = `https://example.net/${i}`;
      return { kind: kinds[i % 3] ?? 'url', value: token(i), to, by: 'a@b', since: '2026-11-29' };
    });
    return requests(n / 5, (i) => ({ path: path(i) }), { blocks }, JSON.stringify(blocks).length);
  },
  'blocks × clicks': (n) => {
    const blocks = Array.from({ length: n / 5 }, (_, i): Block => {
      const kinds = ['token', 'message', 'url', 'domain'] as const;
      return { kind: kinds[i % 4] ?? 'url', value: `${i}.blocked.example` };
    });
    return requests(n / 5, (i) => ({ path: path(i) }), { blocks }, JSON.stringify(blocks).length);
  },
  'networks of scanners × clicks': (n) => {
    const networks = Array.from({ length: n / 5 }, (_, i) => {
      const place = `${(i >> 8) & 255}.${i & 255}`;
      return i % 2 ? `198.${place}.0/24` : `2001:db8:${i.toString(16)}::/${48 + (i % 16)}`;
    });
    const headers = (i: number) => ({ headers: client(i) });
    return requests(
      n / 5,
      (i) => ({ path: path(i), ...headers(i) }),
      { networks },
      JSON.stringify(networks).length,
    );
  },
  'labels of a target × clicks': (n) => {
    const target = `https://${'a.'.repeat(Math.min(n, MAX_TARGET / 2 - 10))}example/`;
    const blocks: readonly Block[] = [{ kind: 'domain', value: 'blocked.example' }];
    const resolve = async (token: string) => linkOf(token, target);
    return requests(n / 20, (i) => ({ path: path(i) }), { resolve, blocks }, target.length);
  },
};
