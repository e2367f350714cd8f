import type { LinkIssuer, LinkResolver, ResolvedLink, StoredMessage } from '../link/link-store.ts';
import type { PreviewVersion } from '../preview/versions.ts';
import type { Counters } from './counters.ts';
import type { Events } from './events.ts';

/**
 * Everything that clickmilter keeps. Each folder beside this file is one backend; `openStore`
 * chooses between them. A backend that cannot answer in time rejects with StoreUnavailable.
 */
export interface Store {
  /**
   * Issues links whose records this store keeps; absent where it keeps none, so that links are
   * sealed.
   */
  readonly issuer?: LinkIssuer;
  /** Finds stored links; a store without records finds none. */
  readonly resolver: LinkResolver;
  /**
   * Finds a message by its id, with all of its links; a store without records finds none.
   * @throws StoreUnavailable when the answer cannot be known now
   */
  findMessage(messageId: string): Promise<StoredMessage | undefined>;
  readonly blocks: EditableBlockList;
  readonly optOuts: EditableOptOuts;
  readonly events: Events;
  readonly counters: Counters;
  readonly previews: Previews;
  /** Erases everything that is stored about a recipient. */
  forget(request: ForgetRequest): Promise<Forgotten>;
  /**
   * @param keys the sealing keys of this host, to be compared with those of the hosts that share
   * the store
   */
  health(keys?: KeysOfHost): Promise<StoreHealth>;
  /** Writes the counts that wait, and closes everything but appenders, readers and consumers. */
  close(): Promise<void>;
}

/** A decision of an operator about links: they answer 410, or lead elsewhere. */
export type Ruling = Block | Retarget;

/** Links that answer 410. */
export interface Block {
  readonly kind: 'token' | 'message' | 'url' | 'domain';
  readonly value: string;
  readonly to?: undefined;
}

/** Links that lead elsewhere than they were sent to lead. */
export interface Retarget {
  readonly kind: 'token' | 'message' | 'url';
  readonly value: string;
  /** Where they lead: an http or https URL. */
  readonly to: string;
  /** The operator who decided that. */
  readonly by: string;
  /** When: ISO 8601. */
  readonly since: string;
  readonly why?: string | undefined;
}

/** What operators have decided about links. */
export interface BlockList {
  /**
   * Finds the ruling that holds for a link which this store, or a sealed token, has just resolved;
   * at once where possible. A block goes before a retarget, and holds for where that leads too.
   * @throws StoreUnavailable when the answer cannot be known now
   */
  find(token: string, resolved: ResolvedLink): Ruling | undefined | Promise<Ruling | undefined>;
}

/**
 * A block list that operators edit. A change holds from the next request on, on every host that
 * shares the store.
 */
export interface EditableBlockList extends BlockList {
  /**
   * Adds a ruling. A retarget replaces another one of the same links.
   * @returns false where there was one of these links already
   */
  add(ruling: Ruling): Promise<boolean>;
  /**
   * Removes the ruling of its kind about the same links.
   * @returns false where there was none
   */
  remove(ruling: Ruling): Promise<boolean>;
  all(): Promise<readonly Ruling[]>;
}

/** Recipients who do not want to be tracked. */
export interface OptOuts {
  /**
   * Whether any of these recipients has opted out.
   * @param addresses without angle brackets
   * @throws StoreUnavailable when that cannot be known now
   */
  hasAny(addresses: readonly string[]): Promise<boolean>;
}

/**
 * Opt-outs that operators edit. A change holds within a second, on every host that shares the
 * store.
 */
export interface EditableOptOuts extends OptOuts {
  /** @param digests of `optOutDigest`. @returns how many of them are new */
  add(digests: readonly string[]): Promise<number>;
  /** @returns how many of them there were */
  remove(digests: readonly string[]): Promise<number>;
  /** The time of each opt-out, by its digest. */
  all(): Promise<ReadonlyMap<string, string>>;
}

/**
 * Skeletons of newsletters, for the click map. They hold no text of a single recipient, so nothing
 * of them is erased for one.
 */
export interface Previews {
  /**
   * Adds what copies of a newsletter have in common to what is kept of its campaign. Text is only
   * taken away, whatever else is added at the same time.
   * @param days for which it is kept
   */
  add(campaign: string, skeleton: string, days: number): Promise<void>;
  /**
   * The versions of a campaign's newsletter, those seen last first.
   * @throws Error where they are damaged
   */
  of(campaign: string): Promise<readonly PreviewVersion[]>;
  /** Removes those that are kept no longer, where the store does not do so by itself. */
  removeExpired(): Promise<void>;
}

export interface ForgetRequest {
  /** Compared without regard to case. */
  readonly address: string;
  /** Whether the recipient's links go on leading to their targets. */
  readonly keepLinks?: boolean;
  /** Called with the number of keys and events examined so far, and in total. */
  readonly progress?: (done: number, total: number) => void;
}

/** What was found about a recipient, and erased. */
export interface Forgotten {
  /**
   * Records of messages that went to nobody else. They are erased, with their links and the counts
   * of their clicks; where links are kept, the facts that identify the recipient are erased.
   */
  readonly records: number;
  /** Records of messages that went to others as well: the address was erased. */
  readonly shared: number;
  /** Click events, dead letters included. */
  readonly events: number;
  /** Records that cannot be read: they may be the recipient's. */
  readonly unreadable: number;
  /** Why the last of them cannot be read. */
  readonly whyUnreadable?: string;
}

/** The sealing keys of a host. */
export interface KeysOfHost {
  readonly fingerprint: string;
  /** The name under which other hosts learn of these keys; absent, they do not. */
  readonly announceAs?: string;
  /**
   * The name of the host, which is not compared with itself: its service may not have read these
   * keys yet.
   */
  readonly host?: string;
}

/** Sentences for operators. */
export interface StoreHealth {
  /** The servers that answer, and what they use. */
  readonly facts: readonly string[];
  /** What the store refuses to do, although it answers. */
  readonly failures: readonly string[];
  /** Conditions that endanger links or clicks. */
  readonly warnings: readonly string[];
  /** Conditions that could not be examined. */
  readonly unknown: readonly string[];
}
