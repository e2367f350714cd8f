import type { ResolvedLink } from './link-store.ts';

/** One followed link, as the redirect endpoint saw it. */
export interface Click {
  readonly token: string;
  readonly resolved: ResolvedLink;
  /** Unix milliseconds. */
  readonly time: number;
  /** The client's address, after trusted proxies; absent where it is not to be kept. */
  readonly ip?: string | undefined;
  readonly userAgent?: string | undefined;
  readonly acceptLanguage?: string | undefined;
}

/** Where clicks go. */
export interface ClickSink {
  /**
   * Settles when the click is as safe as the sink can make it with one bounded write.
   * Rejects only when it could be kept nowhere.
   */
  record(click: Click): Promise<void>;
  /** A live link was asked for with HEAD: no click, but a hint that a program looks at it. */
  headSeen?(token: string): void;
}

/** Why a link answers 410. */
export interface Block {
  readonly kind: 'token' | 'message' | 'url' | 'domain';
  readonly value: string;
}

/** Links an operator has switched off. */
export interface BlockList {
  /**
   * At once where that is possible.
   * @throws StoreUnavailable when the answer cannot be known now
   */
  find(token: string, resolved: ResolvedLink): Block | undefined | Promise<Block | undefined>;
}

/** Messages and links sent: the denominators of reports. Must never make the mail wait. */
export interface SentCounter {
  sent(message: { day: string; campaign?: string; pathway?: string; links: number }): void;
}
