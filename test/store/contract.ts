import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { TrackedLink } from '../../src/link/facts.ts';
import type { LinkIssuer, LinkResolver } from '../../src/link/link-store.ts';
import { exampleLinks, exampleMessage } from '../link/example-message.ts';
import { tokenOf } from '../link/token-of.ts';

export interface LinksUnderTest {
  readonly issuer: LinkIssuer;
  readonly resolver: LinkResolver;
}

const noAbort = (): AbortSignal => new AbortController().signal;

/**
 * What both kinds of links and every shape of store promise.
 * @param open gives the same links each time; asked within tests only
 * @param numRuns of each property; a real server takes fewer
 */
export function storeContract(open: () => LinksUnderTest, numRuns = 100): void {
  const issueAll = async (links: readonly TrackedLink[], message = exampleMessage()) => {
    const issued = open().issuer.issue(message);
    const tokens = links.map((link) => tokenOf(issued, link));
    await issued.commit(noAbort());
    return { message, tokens };
  };

  test('every token leads to exactly its own link', async () => {
    const { message, tokens } = await issueAll(exampleLinks);
    const resolved = await Promise.all(tokens.map((token) => open().resolver.resolve(token)));
    expect(resolved.map((found) => found?.link)).toEqual(exampleLinks);
    for (const found of resolved) {
      expect(found?.message).toMatchObject({
        messageId: message.messageId,
        injectionTime: message.injectionTime,
        expires: message.expires,
        recipients: message.recipients,
        campaignId: message.campaignId,
      });
    }
  });

  test('any target and name come back as they were', async () => {
    const link = fc.record(
      {
        target: fc.webUrl({ withFragments: true, withQueryParameters: true }),
        name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
        part: fc.constantFrom('text' as const, 'html' as const),
      },
      { requiredKeys: ['target', 'part'] },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(link, { minLength: 1, maxLength: 40 }), async (links) => {
        const { tokens } = await issueAll(links as TrackedLink[]);
        expect(new Set(tokens).size).toBe(tokens.length);
        const resolved = await Promise.all(tokens.map((token) => open().resolver.resolve(token)));
        expect(resolved.map((found) => found?.link)).toEqual(links);
      }),
      { numRuns },
    );
  });

  test('tokens are of the characters that a URL never escapes', async () => {
    const { tokens } = await issueAll(exampleLinks);
    for (const token of tokens) expect(token).toMatch(/^[\w-]+$/);
  });

  test('a token with one character changed, missing or added leads nowhere', async () => {
    const { tokens } = await issueAll(exampleLinks.slice(0, 2));
    const [token = ''] = tokens;
    const edit = fc.record({
      at: fc.nat(token.length - 1),
      by: fc.constantFrom(...'AQgw09-_z', ''),
      over: fc.constantFrom(0, 1),
    });
    await fc.assert(
      fc.asyncProperty(edit, async ({ at, by, over }) => {
        const other = token.slice(0, at) + by + token.slice(at + over);
        fc.pre(!tokens.includes(other));
        expect(await open().resolver.resolve(other)).toBeUndefined();
      }),
      { numRuns: numRuns * 2 },
    );
  });

  test.each([
    ['nothing', ''],
    ['one character', '1'],
    ['the other', '2'],
    ['no kind', '3AAAAAAAAAAAAAAAAAAAAAAAA'],
    ['an id of no message', '1AAAAAAAAAAAAAAAAAAAAAAAA'],
    ['a key of nobody', `2${'A'.repeat(200)}`],
    ['a path', '1/../../etc/passwd'],
    ['not ASCII', '1ÄÖÜ'],
    ['a wildcard', '1****************AAAAAAA'],
    ['a line break', '1AAAAAAAAAAAAAAAAAAAAAAAA\n'],
    ['a very long one', `2${'A'.repeat(1_000_000)}`],
    ['a very long one of the stored kind', `1${'A'.repeat(1_000_000)}`],
  ])('%s is no token', async (_, token) => {
    expect(await open().resolver.resolve(token)).toBeUndefined();
  });

  test('a link belongs to its own domain, whatever the port and the case', async () => {
    const { tokens } = await issueAll(
      exampleLinks.slice(0, 1),
      exampleMessage({ domain: 'click.example.com:8080' }),
    );
    const found = await open().resolver.resolve(tokens[0] ?? '');
    const hosts = [
      'click.example.com',
      'click.example.com:80',
      'CLICK.example.com.',
      'example.com',
      'xclick.example.com',
      '',
    ];
    expect(hosts.filter((host) => found?.isFor(host))).toEqual([
      'click.example.com',
      'click.example.com:80',
      'CLICK.example.com.',
    ]);
  });

  test('the facts that are not known stay unknown', async () => {
    const { messageId, injectionTime, expires, domain } = exampleMessage();
    const { tokens } = await issueAll([{ target: 'https://a.example/', part: 'text' }], {
      messageId,
      injectionTime,
      expires,
      domain,
      recipients: [],
    });
    const found = await open().resolver.resolve(tokens[0] ?? '');
    const { domain: _, ...message } = found?.message ?? {};
    expect(message).toEqual({ messageId, injectionTime, expires, recipients: [] });
  });

  test('a message id that is not ours is refused', () => {
    expect(() => open().issuer.issue(exampleMessage({ messageId: 'x' }))).toThrow(RangeError);
  });

  test('committing a message without links does nothing', async () => {
    await issueAll([]);
  });
}
