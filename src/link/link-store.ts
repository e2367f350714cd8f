import type { MessageFacts, TrackedLink } from './message-facts.ts';

/** Issues tokens. Both kinds of links, stored and sealed, have an issuer. */
export interface LinkIssuer {
  readonly kind: 'stored' | 'sealed';
  /** Characters of the longest target that gets a token; absent where there is no limit. */
  readonly maxTarget?: number;
  /** Begins the tokens of a message, and touches nothing outside the process. */
  issue(message: MessageFacts): IssuedLinks;
}

/** The tokens of one message, which lead nowhere before `commit` settles. */
export interface IssuedLinks {
  /**
   * Returns the token of the next link: `[A-Za-z0-9_-]+`.
   * @returns undefined where the links of the message are more, or longer, than can be read back
   */
  token(link: TrackedLink): string | undefined;
  /**
   * Settles when every token leads to its target.
   * @param givenUp ends the waiting
   * @throws StoreUnavailable when that could not be achieved in time
   */
  commit(givenUp?: GivenUp): Promise<void>;
}

/** Polled while waiting; aborted once the result is no longer needed. An AbortSignal is one. */
export interface GivenUp {
  readonly aborted: boolean;
}

/** The link of a token, and its message. */
export interface ResolvedLink {
  readonly link: TrackedLink;
  /** For a sealed link, only the facts that fitted into the token. */
  readonly message: MessageFacts;
  /** How many links the message has; absent where unknown (sealed links). */
  readonly linkCount?: number;
  /**
   * The place of the link among those of the message, from 0 on; absent where unknown (sealed links
   * of releases that did not write it, and links beyond the 127th).
   */
  readonly position?: number;
  /**
   * Whether the link belongs to this host.
   * @param host in lower case, with the port where there is one
   */
  isFor(host: string): boolean;
}

/** A message as its record holds it. */
export interface StoredMessage {
  readonly message: MessageFacts;
  /** In the order of their positions. */
  readonly links: readonly StoredLink[];
}

export interface StoredLink {
  readonly link: TrackedLink;
  /** Every token that leads to the link: the one that is issued today, and those of before. */
  readonly tokens: readonly [string, ...string[]];
}

/** Resolves tokens. */
export interface LinkResolver {
  /**
   * Finds the link of a token.
   * @param host of the token's URL; without it, sealed links are tried with all configured tracking
   * domains
   * @param mayDiffer whether a proxy may have changed the host: sealed links are then tried with
   * other tracking domains too, but with no more than a request may cost
   * @returns undefined for a token that is unknown, gone, truncated or forged
   * @throws StoreUnavailable when the answer cannot be known now
   */
  resolve(token: string, host?: string, mayDiffer?: boolean): Promise<ResolvedLink | undefined>;
}

/** The store, or its key, cannot be used at the moment; the request is not at fault. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}
