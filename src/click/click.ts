import type { ClickFacts } from '../link/facts.ts';
import type { ResolvedLink } from '../link/link-store.ts';

/** One followed link, as the redirect endpoint saw it. */
export interface Click extends ClickFacts {
  readonly token: string;
  readonly resolved: ResolvedLink;
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
