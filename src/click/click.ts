import type { ResolvedLink } from '../link/link-store.ts';

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
