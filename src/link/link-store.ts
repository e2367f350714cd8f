import type { MessageFacts, TrackedLink } from './facts.ts';

/** Makes the tokens of one message. Both kinds of links, stored and sealed, are made through it. */
export interface LinkIssuer {
  readonly kind: 'stored' | 'sealed';
  /** Characters of the longest target that it has a token for; absent where any will do. */
  readonly maxTarget?: number;
  /** Begins a message; touches nothing outside the process. */
  issue(message: MessageFacts): IssuedLinks;
}

/** The tokens of one message, before and while they become real. */
export interface IssuedLinks {
  /**
   * The token of the next link: `[A-Za-z0-9_-]+`.
   * @returns undefined where the message has more links, or longer ones, than can be read back
   */
  token(link: TrackedLink): string | undefined;
  /**
   * Settles when every token handed out leads to its target.
   * @param givenUp ends the waiting
   * @throws StoreUnavailable when that could not be achieved in time
   */
  commit(givenUp?: GivenUp): Promise<void>;
}

/** Looked at now and then while something is waited for: nobody wants it any more. An AbortSignal is one. */
export interface GivenUp {
  readonly aborted: boolean;
}

/** What a token stands for. */
export interface ResolvedLink {
  readonly link: TrackedLink;
  /** For a sealed link: those facts that fitted into the token. */
  readonly message: MessageFacts;
  /** How many links the message has; absent where that is not known (sealed links). */
  readonly linkCount?: number;
  /** Whether the link belongs to this host: lower case, with the port where there is one. */
  isFor(host: string): boolean;
}

/** Finds out what a token stands for. */
export interface LinkResolver {
  /**
   * @param host of the URL the token stood in; without it, a sealed link is found for configured tracking domains only
   * @returns undefined for a token that is unknown, gone, truncated or forged
   * @throws StoreUnavailable when the answer cannot be known now
   */
  resolve(token: string, host?: string): Promise<ResolvedLink | undefined>;
}

/** The store (or its key) cannot be used at the moment; nothing is wrong with the request. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}
