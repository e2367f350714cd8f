import { hostName } from '../../../src/lib/host-name.ts';
import type { MessageFacts, TrackedLink } from '../../../src/link/message-facts.ts';
import { isMessageId, newMessageId } from '../../../src/link/message-id.ts';
import {
  formatStoredToken,
  LinkChecks,
  parseStoredToken,
  storedMessage,
} from '../../../src/link/stored-token.ts';
import { addToValue, decodeVersions } from '../../../src/preview/versions.ts';
import { BlockSet, rulingKey } from '../../../src/store/block-set.ts';
import { countedText } from '../../../src/store/counting.ts';
import { isEventAbout } from '../../../src/store/event-line.ts';
import { optOutDigest } from '../../../src/store/opt-outs.ts';
import type { Ruling, Store } from '../../../src/store/store.ts';
import { MemoryCounters } from './counters.ts';
import { MemoryEvents } from './events.ts';

interface MessageRecord {
  readonly message: MessageFacts;
  readonly checks: LinkChecks;
  readonly links: readonly TrackedLink[];
}

/** A store in the memory of one process, for tests: what one more backend takes. */
export function createMemoryStore(): Store {
  const records = new Map<string, MessageRecord>();
  const blocks = new Map<string, Ruling>();
  const optOuts = new Map<string, string>();
  const previews = new Map<string, Buffer>();
  const events = new MemoryEvents();
  return {
    issuer: {
      kind: 'stored',
      issue(message) {
        if (!isMessageId(message.messageId)) throw new RangeError('not a message id');
        const checks = new LinkChecks(newMessageId());
        const links: TrackedLink[] = [];
        return {
          token: (link) => formatStoredToken(message.messageId, links.push(link) - 1, checks),
          commit: async () => void records.set(message.messageId, { message, checks, links }),
        };
      },
    },
    resolver: {
      async resolve(token) {
        const parsed = parseStoredToken(token);
        const record = parsed && records.get(parsed.messageId);
        const link = record?.links[parsed?.index ?? 0];
        if (link === undefined || parsed === undefined || record === undefined) return undefined;
        if (record.checks.of(parsed.index, parsed.form) !== parsed.check) return undefined;
        const { message, links } = record;
        const isFor = (host: string) => hostName(host) === hostName(message.domain);
        return { link, message, linkCount: links.length, position: parsed.index, isFor };
      },
    },
    async findMessage(messageId) {
      const record = records.get(messageId);
      return record && storedMessage(record.message, record.links, record.checks);
    },
    blocks: {
      find: (token, resolved) => new BlockSet(blocks.values()).find(token, resolved),
      async add(block) {
        const isNew = !blocks.has(rulingKey(block));
        blocks.set(rulingKey(block), block);
        return isNew;
      },
      remove: async (block) => blocks.delete(rulingKey(block)),
      all: async () => [...blocks.values()],
    },
    optOuts: {
      hasAny: async (addresses) => addresses.some((one) => optOuts.has(optOutDigest(one))),
      async add(digests) {
        const added = digests.filter((digest) => !optOuts.has(digest));
        for (const digest of added) optOuts.set(digest, new Date().toISOString());
        return added.length;
      },
      remove: async (digests) => digests.filter((digest) => optOuts.delete(digest)).length,
      all: async () => new Map(optOuts),
    },
    events,
    counters: new MemoryCounters(),
    previews: {
      async add(campaign, skeleton, days) {
        const { value } = addToValue(previews.get(countedText(campaign)), skeleton, days);
        previews.set(countedText(campaign), value);
      },
      async of(campaign) {
        const value = previews.get(countedText(campaign));
        return value === undefined ? [] : decodeVersions(value);
      },
      async removeExpired() {},
    },
    async forget({ address }) {
      const wanted = address.toLowerCase();
      let erased = 0;
      for (const [id, { message }] of records) {
        const [recipient = ''] = message.recipients;
        if (recipient.toLowerCase() === wanted && records.delete(id)) erased++;
      }
      const found = events.erase((event) => isEventAbout(wanted, event));
      return { records: erased, shared: 0, events: found, unreadable: 0 };
    },
    health: async () => ({
      facts: [`${records.size} records in memory`],
      failures: [],
      warnings: [],
      unknown: [],
    }),
    async close() {},
  };
}
