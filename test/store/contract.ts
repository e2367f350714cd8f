import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AutomationSigns } from '../../src/click/automation.ts';
import type { LinkIssuer, LinkResolver } from '../../src/link/link-store.ts';
import type { TrackedLink } from '../../src/link/message-facts.ts';
import { newMessageId } from '../../src/link/message-id.ts';
import { newSealKey, SealKeys } from '../../src/link/seal-keys.ts';
import { createSealedLinks } from '../../src/link/sealed-links.ts';
import { linksOf } from '../../src/service/links.ts';
import type { StoredEvent } from '../../src/store/events.ts';
import { optOutDigest } from '../../src/store/opt-outs.ts';
import type { Block, Store } from '../../src/store/store.ts';
import { exampleClick } from '../click/example-click.ts';
import { draftOf, envelope } from '../click/judge.ts';
import { eventsDefaults } from '../helpers/option-defaults.ts';
import { poll } from '../helpers/poll.ts';
import { recordedMetrics } from '../helpers/recorded.ts';
import { exampleLinks, exampleMessage } from '../link/example-message.ts';
import { tokenOf } from '../link/token-of.ts';
import { countersContract } from './counters-contract.ts';
import { previewsContract } from './previews-contract.ts';

export interface LinksUnderTest {
  readonly issuer: LinkIssuer;
  readonly resolver: LinkResolver;
}

const noAbort = (): AbortSignal => new AbortController().signal;

/**
 * What stored and sealed links promise.
 * @param open gives the same links each time; asked within tests only
 * @param numRuns of each property; a real server takes fewer
 */
export function linksContract(open: () => LinksUnderTest, numRuns = 100): void {
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
        expect(resolved.map((found) => found?.position)).toEqual([...links.keys()]);
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

const key = new SealKeys([newSealKey([], 0)]);
const sealed = createSealedLinks(
  () => key,
  () => [exampleMessage().domain],
);
const eventAbout = (n: number, recipient = 'a@x.example') =>
  JSON.stringify({ msys: { track_event: { n, rcpt_to: recipient } } });
const textsOf = (events: readonly { event: string }[]) => events.map(({ event }) => event);

/**
 * What every backend promises. `open` returns the same store each time; it begins empty.
 * @param numRuns of each property; a real server takes fewer
 */
export function storeContract(open: () => Store, numRuns = 100): void {
  const links = () => linksOf(open(), sealed);
  const issue = async (recipient = 'a@x.example') => {
    const message = exampleMessage({ recipients: [recipient] });
    const issued = links().issuer.issue(message);
    const token = tokenOf(issued, { target: 'https://www.shop.example/a', part: 'html' });
    await issued.commit(AbortSignal.timeout(5_000));
    return { token, message };
  };
  const append = async (...events: string[]) => {
    const appender = await open().events.openAppender();
    await appender.append(events);
    await appender.close();
  };
  const readAll = async () => {
    const reader = open().events.openReader('oldest');
    const all: string[] = [];
    for (;;) {
      const next = textsOf(await reader.next(10, 0));
      if (next.length === 0) break;
      all.push(...next);
    }
    await reader.close();
    return { all, skipped: reader.skipped };
  };

  test('a lease has one holder at a time, until it gives it up', async () => {
    const [first, second] = [open().events.lease('test'), open().events.lease('test')];
    expect([await first.hold(), await second.hold(), await first.hold()]).toEqual([
      true,
      false,
      true,
    ]);
    await second.release();
    expect(await second.hold()).toBe(false);
    await first.release();
    expect([await second.hold(), await first.hold()]).toEqual([true, false]);
    await second.release();
  });

  describe('links', () => linksContract(links, numRuns));

  test('a message is found by its id, with every token of its links', async () => {
    const message = exampleMessage();
    const { issuer, resolver } = links();
    const issued = issuer.issue(message);
    const tokens = exampleLinks.map((link) => tokenOf(issued, link));
    await issued.commit(noAbort());
    const found = await open().findMessage(message.messageId);
    if (open().issuer === undefined) return expect(found).toBeUndefined();
    expect(found?.message).toMatchObject(message);
    expect(found?.links.map(({ link }) => link)).toEqual(exampleLinks);
    expect(found?.links.map((link) => link.tokens[0])).toEqual(tokens);
    for (const [position, { tokens: all, link }] of (found?.links ?? []).entries()) {
      for (const token of all)
        expect(await resolver.resolve(token)).toMatchObject({ position, link });
    }
    expect(await open().findMessage(exampleMessage().messageId)).toBeUndefined();
    expect(await open().findMessage('no id')).toBeUndefined();
  });

  describe('blocks', () => {
    test.each<[string, (issued: Issued) => Block]>([
      ['a domain', () => ({ kind: 'domain', value: 'shop.example' })],
      ['a target', () => ({ kind: 'url', value: 'https://www.shop.example/a' })],
      ['a message', (token) => ({ kind: 'message', value: token.message.messageId })],
      ['a token', (token) => ({ kind: 'token', value: token.token })],
    ] as const)(
      '%s is blocked from the next request on, and so is the end of it',
      async (_, of) => {
        const issued = await issue();
        const block = of(issued);
        const { blocks } = open();
        const found = async () => {
          const resolved = await links().resolver.resolve(issued.token);
          if (resolved === undefined) throw new Error('it does not resolve');
          return blocks.find(issued.token, resolved);
        };
        expect(await found()).toBeUndefined();
        expect(await blocks.add(block)).toBe(true);
        expect(await found()).toEqual(block);
        expect(await blocks.add(block)).toBe(false);
        expect(await blocks.all()).toContainEqual(block);
        expect(await blocks.remove(block)).toBe(true);
        expect(await found()).toBeUndefined();
        expect(await blocks.remove(block)).toBe(false);
        expect(await blocks.all()).toEqual([]);
      },
    );

    test('a link is retargeted from the next request on, and again, and no more', async () => {
      const { token, message } = await issue();
      const { blocks } = open();
      const found = async () => {
        const resolved = await links().resolver.resolve(token);
        return resolved && blocks.find(token, resolved);
      };
      const made = { by: 'alice@mx1', since: '2026-11-29T12:00:00.000Z' };
      const first = { kind: 'token', value: token, to: 'https://b.example/1', ...made } as const;
      const second = { ...first, to: 'https://b.example/2', why: 'a "reason"\n' };
      const other = { ...first, kind: 'message', value: message.messageId } as const;
      expect(await blocks.add(first)).toBe(true);
      expect(await found()).toEqual(first);
      expect(await blocks.add(second)).toBe(false);
      expect(await found()).toEqual(second);
      expect(await blocks.add(other)).toBe(true);
      expect(await blocks.all()).toEqual(expect.arrayContaining([second, other]));
      const block = { kind: 'token', value: token } as const;
      expect(await blocks.add(block)).toBe(true);
      expect(await found()).toEqual(block);
      expect(await blocks.remove(block)).toBe(true);
      expect(await blocks.remove(first)).toBe(true);
      expect(await found()).toEqual(other);
      expect(await blocks.remove(other)).toBe(true);
      expect(await found()).toBeUndefined();
      expect(await blocks.all()).toEqual([]);
    });
  });

  describe('opt-outs', () => {
    test('hold within a second, for any spelling of the address, until they are undone', async () => {
      const { optOuts } = open();
      const digests = ['Ada@Bücher.Example', 'b@x.example'].map(optOutDigest);
      const [first = '', second = ''] = digests;
      expect(await optOuts.hasAny(['ada@bücher.example', 'c@x.example'])).toBe(false);
      expect(await optOuts.add([first])).toBe(1);
      await poll('the opt-out', () => optOuts.hasAny(['c@x.example', 'ADA@xn--bcher-kva.example']));
      expect(await optOuts.hasAny(['b@x.example', 'ada@other.example'])).toBe(false);
      expect(await optOuts.add(digests)).toBe(1);
      expect(await optOuts.hasAny(['b@x.example'])).toBe(true);
      const all = await optOuts.all();
      expect([...all.keys()].sort()).toEqual([...digests].sort());
      expect(Date.parse(all.get(first) ?? '')).toBeGreaterThan(Date.now() - 600_000);
      expect(await optOuts.remove([second, second])).toBe(1);
      expect(await optOuts.remove([second])).toBe(0);
      expect(await optOuts.hasAny(['b@x.example'])).toBe(false);
      expect(await optOuts.hasAny(['ada@bücher.example'])).toBe(true);
      expect(await optOuts.remove(digests)).toBe(1);
      expect([...(await optOuts.all())]).toEqual([]);
    });

    test('many at once', async () => {
      const { optOuts } = open();
      const addresses = Array.from({ length: 2500 }, (_, i) => `reader${i}@x.example`);
      const digests = addresses.map(optOutDigest);
      expect(await optOuts.add(digests.slice(1200))).toBe(1300);
      await poll('the opt-outs', () => optOuts.hasAny(addresses.slice(-1)));
      expect(await optOuts.hasAny(addresses.slice(0, 1200))).toBe(false);
      expect(await optOuts.hasAny(addresses)).toBe(true);
      expect((await optOuts.all()).size).toBe(1300);
      expect(await optOuts.remove(digests)).toBe(1300);
    });
  });

  describe('events', () => {
    test('a click is kept with what is known of the clicks before it', async () => {
      const signs = new AutomationSigns(eventsDefaults);
      const messageId = newMessageId();
      const reader = open().events.openReader('newest');
      await reader.next(1, 0);
      const appender = await open().events.openAppender();
      for (const link of [1, 2, 3, 4, 5]) {
        const click = exampleClick({ time: Date.now(), token: `${link}` }, { messageId });
        await appender.record(envelope(draftOf(signs, click, `e-${link}`)));
      }
      await appender.close();
      const read: string[] = [];
      while (read.length < 5) read.push(...textsOf(await reader.next(10, 1_000)));
      await reader.close();
      expect(read.map((text) => JSON.parse(text).msys.track_event)).toEqual([
        ...[1, 2, 3, 4].map((link) => ({ event_id: `e-${link}`, is_automatic: false })),
        {
          event_id: 'e-5',
          is_automatic: true,
          automation_reasons: ['many_links'],
          reclassifies: ['e-1', 'e-2', 'e-3', 'e-4'],
        },
      ]);
    });

    test('are read in order, by readers of everything and by readers of new events', async () => {
      const { all: before } = await readAll();
      const reader = open().events.openReader('newest');
      await reader.next(1, 0);
      const events = Array.from({ length: 25 }, (_, n) => eventAbout(n));
      await append(...events);
      const read: string[] = [];
      while (read.length < events.length) read.push(...textsOf(await reader.next(10, 1_000)));
      expect(read).toEqual(events);
      expect(await reader.next(10, 50)).toEqual([]);
      await reader.close();
      expect(await readAll()).toEqual({ all: [...before, ...events], skipped: 0 });
    });

    test('the last ones are found without the others, as a reader gives them', async () => {
      const reader = open().events.openReader('newest');
      await reader.next(1, 0);
      await append(...Array.from({ length: 70 }, (_, n) => eventAbout(n)));
      const read: StoredEvent[] = [];
      while (read.length < 70) read.push(...(await reader.next(100, 1_000)));
      await reader.close();
      for (const max of [1, 40, 70])
        expect(await open().events.recent(max)).toEqual(read.slice(-max));
    });

    test('are shared by the consumers of a group, and stay until they are acknowledged', async () => {
      const name = { group: 'contract', name: 'a' };
      const first = open().events.openConsumer(name);
      await first.acknowledge(await first.next(1000, 0));
      const events = Array.from({ length: 5 }, (_, n) => eventAbout(n));
      await append(...events);
      const read = await first.next(3, 1_000);
      expect(textsOf(read)).toEqual(events.slice(0, 3));
      await first.close();

      const second = open().events.openConsumer(name);
      expect(await second.unacknowledged(100)).toEqual(read);
      expect(textsOf(await second.next(100, 1_000))).toEqual(events.slice(3));
      expect(await second.backlog()).toMatchObject({ events: 5 });
      const all = await second.unacknowledged(100);
      expect(textsOf(all)).toEqual(events);
      await second.acknowledge(all);
      expect(await second.unacknowledged(100)).toEqual([]);
      expect(await second.backlog()).toEqual({ events: 0 });
      await second.close();
    });

    test('do not wait where the store answers, and the room that they take is measured', async () => {
      expect(await open().events.waiting()).toEqual({ events: 0 });
      const { metrics, gauges } = recordedMetrics();
      open().events.measure(metrics);
      for (const read of gauges.values()) expect(await read()).toBeGreaterThanOrEqual(0);
    });
  });

  countersContract(open, numRuns / 5);

  previewsContract(open);

  test('forget erases a recipient from records, events and dead letters', async () => {
    const store = open();
    const [gone, stays] = [await issue('Gone@x.example'), await issue('stays@x.example')];
    await append(eventAbout(1, 'gone@x.example'), eventAbout(2, 'stays@x.example'));
    await store.events.deadLetters.add([eventAbout(3, 'gone@x.example')], 'HTTP 400');
    const stored = store.issuer === undefined ? 0 : 1;
    const steps: number[] = [];
    const progress = (done: number, total: number) => void steps.push(done / total);
    expect(await store.forget({ address: 'GONE@x.example', progress })).toEqual({
      records: stored,
      shared: 0,
      events: 2,
      unreadable: 0,
    });
    expect(steps.at(-1) ?? 1).toBe(1);
    const found = await links().resolver.resolve(gone.token);
    expect(found === undefined).toBe(stored === 1);
    expect(await links().resolver.resolve(stays.token)).toBeDefined();
    const { all } = await readAll();
    expect(all.join()).not.toContain('gone@x.example');
    expect(all.at(-1)).toBe(eventAbout(2, 'stays@x.example'));
    const again = { records: 0, shared: 0, events: 0, unreadable: 0 };
    expect(await store.forget({ address: 'gone@x.example' })).toEqual(again);
  });

  test('health describes what answers', async () => {
    const { facts, warnings, unknown } = await open().health({ fingerprint: 'mine' });
    expect(facts.length).toBeGreaterThan(0);
    for (const text of [...facts, ...warnings, ...unknown]) expect(text).toMatch(/\w/);
  });
}

interface Issued {
  readonly token: string;
  readonly message: { readonly messageId: string };
}
