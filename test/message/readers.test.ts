import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LinkIssuer, LinkResolver, ResolvedLink } from '../../src/link/link-store.ts';
import { newMessageId } from '../../src/link/message-id.ts';
import { newSealKey, SealKeys } from '../../src/link/seal-keys.ts';
import { createSealedLinks } from '../../src/link/sealed-links.ts';
import { formatStoredToken, isStoredToken, LinkChecks } from '../../src/link/stored-token.ts';
import { openMessage } from '../../src/message/open-message.ts';
import { createRedirect } from '../../src/redirect/redirect.ts';
import { RedirectServer } from '../../src/redirect/redirect-server.ts';
import { follow } from '../helpers/follow.ts';
import { httpDefaults } from '../helpers/option-defaults.ts';
import { READERS } from '../helpers/readers.ts';
import { lostLinks } from '../helpers/same-place.ts';
import { type TransferEncoding, transferEncode } from '../helpers/transfer-encode.ts';
import { exampleMessage } from '../link/example-message.ts';
import { FakeLinks, resolvedLink } from '../redirect/fake-links.ts';
import { SNIPPETS } from './text-snippets.ts';

const DOMAIN = 'click.example.com';
const BASE = `https://${DOMAIN}/`;

const keys = new SealKeys([newSealKey([], 0)]);
const sealed = createSealedLinks(
  () => keys,
  () => [DOMAIN],
);
const stored = new Map<string, ResolvedLink>();
/** Stored links whose store is in memory. */
const storedIssuer: LinkIssuer = {
  kind: 'stored',
  issue: ({ messageId }) => {
    const checks = new LinkChecks(newMessageId());
    let index = 0;
    return {
      token(link) {
        const token = formatStoredToken(messageId, index++, checks);
        stored.set(token, resolvedLink(link, { domain: DOMAIN }));
        return token;
      },
      commit: async () => {},
    };
  },
};
const resolver: LinkResolver = {
  resolve: async (token, host) =>
    isStoredToken(token) ? stored.get(token) : sealed.resolver.resolve(token, host),
};

let server: RedirectServer;
let port: number;
beforeAll(async () => {
  const rest = new FakeLinks();
  server = new RedirectServer(
    createRedirect({ resolver, blocks: rest, optOuts: rest, clicks: rest, ...httpDefaults }),
    httpDefaults,
  );
  const listening = await server.listen({ host: '127.0.0.1', port: 0 });
  port = (listening.address() as AddressInfo).port;
});
afterAll(() => server.close(0));

function read(text: string, encoding: TransferEncoding = '8bit', parameters = 'charset=utf-8') {
  const open = openMessage([
    { name: 'Content-Type', value: `text/plain; ${parameters}` },
    { name: 'Content-Transfer-Encoding', value: encoding },
  ]);
  open.write(transferEncode(Buffer.from(text), encoding));
  return open.end();
}

const outcomes = (message: ReturnType<typeof read>) =>
  message.links.map(({ reason, target }) => reason ?? target);

/** The text with links of a kind in it. */
function track(text: string, issuer: LinkIssuer): string {
  const issued = issuer.issue(exampleMessage({ domain: DOMAIN }));
  const { body } = read(text).rewrite(({ target, part, sublink }) => {
    const token = issued.token({ target, part });
    return BASE + (sublink === undefined ? token : `f/${sublink}/${token}`);
  });
  return body === undefined ? text : Buffer.concat(body).toString();
}

/** What is wrong, and for whom. */
async function problems(before: string, after: string): Promise<string[]> {
  const shown = Object.entries(READERS).map(
    ([name, reader]) => [name, reader(before), reader(after)] as const,
  );
  const targets = new Map<string, string>();
  for (const { url } of shown.flatMap(([, , links]) => links)) {
    if (url.startsWith(BASE) && !targets.has(url)) {
      const { status, location } = await follow(port, url);
      targets.set(url, location ?? String(status));
    }
  }
  return shown.flatMap(([name, was, is]) =>
    lostLinks(before, was, is, targets).map((problem) => `${name}: ${problem}`),
  );
}

describe.each([
  ['stored', storedIssuer],
  ['sealed', sealed.issuer],
] as const)('with %s links, what a reader found leads to the same place', (_, issuer) => {
  test.each(Object.entries(SNIPPETS))('%s', async (_, rows) => {
    const found: string[] = [];
    for (const [text] of rows) {
      for (const problem of await problems(text, track(text, issuer))) {
        found.push(`${JSON.stringify(text)}: ${problem}`);
      }
    }
    expect(found).toEqual([]);
  });

  test('every link of a long message, with and without a sublink', async () => {
    const lines = Array.from(
      { length: 201 },
      (_, i) => `${i}: https://e.example/${'y'.repeat(i)}${i}`,
    );
    const before = lines.join(' a\r\n');
    expect(await problems(before, track(before, issuer))).toEqual([]);
    const marked = lines.map(
      (line, i) => `${line}[[data-msys-sublink="s${SUBLINKS[i % SUBLINKS.length]}"]]`,
    );
    expect(await problems(before, track(marked.join(' a\r\n'), issuer))).toEqual([]);
  });

  test('any text', async () => {
    await fc.assert(
      fc.asyncProperty(TEXT, async (before) => {
        expect(await problems(before, track(before, issuer))).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });
});

const SUBLINKS = [
  '',
  '/x',
  '-',
  '_',
  '/a(b',
  ")'",
  '!',
  '*',
  ',;',
  '=&',
  '.x',
  '~',
  '/ü',
  '%41',
  '$@:+',
  '"',
  '[x]',
];

const PIECES = [
  ...['https://e.example/x', 'http://f.example', 'https://e.example/?q=1', 'https://ü.example/ä#b'],
  ...[
    'https://[::1]/x',
    '²',
    '½',
    '\ufeff',
    '\u200d',
    '\u0301',
    '👍',
    'www.e.example',
    'mailto:a@e.example',
    'mailto:',
    'ftp://e.example/',
    'a@e.example',
    'see:',
  ],
  ...['intent://', 'x-safari-', 'word', 'é', '链接', 'を', '7', '/path', '://', 'URL:', '%20', '%'],
  ...`<>"'()[]{}|\\^\`*_~-–—.,:;!?/@&=#+$…“”„’«»。，、（）「」\u00a0\u3000\u200b \t`,
  ...[' ', ' ', '\r\n', '\r\n', '\r\n\r\n', '\r\n> ', '[[x]]', '{{x}}', '--', '??', '...'],
];
const URL_LIKE = fc.constantFrom(...PIECES.slice(0, 4));
const TEXT = fc
  .array(
    fc.oneof(
      { weight: 1, arbitrary: URL_LIKE },
      { weight: 2, arbitrary: fc.constantFrom(...PIECES) },
    ),
    {
      minLength: 2,
      maxLength: 12,
    },
  )
  .map((pieces) => pieces.join(''));

describe('what becomes of the URLs in a text', () => {
  test.each(Object.entries(SNIPPETS))('%s', (_, rows) => {
    for (const [text, ...expected] of rows) {
      expect([text, ...outcomes(read(text))]).toEqual([text, ...expected]);
    }
  });

  test.each(['quoted-printable', 'base64'] as const)('is the same in %s', (encoding) => {
    for (const [text, ...expected] of Object.values(SNIPPETS).flat()) {
      expect([text, ...outcomes(read(text, encoding))]).toEqual([text, ...expected]);
    }
  });

  test('is the same where soft line breaks of format=flowed stand in it', () => {
    for (const [text, ...expected] of Object.values(SNIPPETS).flat()) {
      if (!text.includes('\n')) {
        const lines = text.match(/[\s\S]{1,7}/gu)?.map((line) => ` ${line}`);
        const flowed = lines?.join(' \r\n') ?? '';
        const message = read(flowed, '8bit', 'charset=utf-8; format=flowed; delsp=yes');
        expect([text, ...outcomes(message)]).toEqual([text, ...expected]);
      }
    }
  });
});

test('there are enough texts', () => {
  expect(Object.values(SNIPPETS).flat().length).toBeGreaterThan(400);
});
