import { hash } from 'node:crypto';
import type { Table } from '../tallies.ts';

/**
 * The names of all keys in Redis. A cluster spreads them, so a command there names only keys that
 * lie on one node.
 */
export class Keys {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /**
   * The record of one message. With the default prefix the key has 30 characters: from 32 on, Redis
   * would take 16 bytes more per message.
   */
  message(messageId: string): string {
    return `${this.#prefix}m:${messageId}`;
  }

  /** The pattern of all records, for SCAN. */
  get messages(): string {
    return `${this.#prefix.replace(/[*?[\]\\]/g, '\\$&')}m:*`;
  }

  messageIdOf(key: string): string {
    return key.slice(this.#prefix.length + 2);
  }

  /** A template: lines that many records share. */
  template(id: string): string {
    return `${this.#prefix}s:${id}`;
  }

  /** The number of clicks on each link of a message: a hash. */
  clicked(messageId: string): string {
    return `${this.#prefix}c:${messageId}`;
  }

  /** The click stream. */
  get events(): string {
    return `${this.#prefix}events`;
  }

  /** The holder of a right that one process at a time has. */
  lease(name: string): string {
    return `${this.#prefix}lease:${name}`;
  }

  /** The note of a consumer group. In a cluster it lies on the node of the stream. */
  note(group: string): string {
    return `${this.#prefix}note:{${this.events}}:${group}`;
  }

  /** The ids of the events that a consumer group has noted, the last first: a list on that node. */
  noted(group: string): string {
    return `${this.#prefix}noted:{${this.events}}:${group}`;
  }

  /**
   * The clicks and HEAD requests of the current period and of the one before, by turns: hashes. In
   * a cluster they lie on the node of the stream, because one script writes all three.
   */
  get recentClicks(): readonly [string, string] {
    return [`${this.#prefix}r:{${this.events}}:0`, `${this.#prefix}r:{${this.events}}:1`];
  }

  /** A table of counts: a hash. The name of a campaign may be long, and its tables are many. */
  table({ day, by, scope }: Table): string {
    const start = `${this.#prefix}t:${day}:${by}`;
    if (scope === undefined) return start;
    const kind = scope.by === 'campaign' ? '' : `${scope.by}:`;
    return `${start}:${kind}${shortDigest(scope.value)}`;
  }

  /** The skeletons of a campaign's newsletter. @param campaign its short digest */
  preview(campaign: string): string {
    return `${this.#prefix}p:${campaign}`;
  }

  /** The campaigns that have skeletons, by the time when these expire: a sorted set. */
  get previews(): string {
    return `${this.#prefix}previews`;
  }

  /** Counts of one UTC day by campaign and pathway, of earlier releases: a hash. */
  counts(day: string): string {
    return `${this.#prefix}n:${day}`;
  }

  /** Counts of one UTC day by campaign and link, of earlier releases: a hash. */
  linkCounts(day: string): string {
    return `${this.#prefix}l:${day}`;
  }

  /** Written to ask whether Redis accepts writes. */
  get probe(): string {
    return `${this.#prefix}probe`;
  }

  /** Fingerprints of the sealing keys of each host: a hash. */
  get sealKeys(): string {
    return `${this.#prefix}keys`;
  }

  /** The block list: a hash. */
  get blocks(): string {
    return `${this.#prefix}blocks`;
  }

  /** Digests of recipients who opted out, each with its time: a hash. */
  get optOuts(): string {
    return `${this.#prefix}optouts`;
  }

  /** A number that every change of the block list replaces. */
  get blocksVersion(): string {
    return `${this.#prefix}blocks:version`;
  }
}

/** Stands for a text from outside: 12 characters, whatever its length. */
export function shortDigest(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, 12);
}
