import type { ClickFacts } from '../link/click-facts.ts';
import type { ResolvedLink } from '../link/link-store.ts';

/** A click on a tracked link, as the redirect endpoint saw it. */
export interface Click extends ClickFacts {
  readonly token: string;
  readonly resolved: ResolvedLink;
  /** Whether the reader asks not to be tracked: the click is counted, and attributed to nobody. */
  readonly isAnonymous?: boolean;
  /** Whether the browser says that it loads the page ahead, and nobody has clicked yet. */
  readonly isPrefetch?: boolean;
}

/** Records clicks. */
export interface ClickSink {
  /**
   * Settles when the click is kept, as safely as one bounded write can. Rejects when it could be
   * kept nowhere.
   */
  record(click: Click): Promise<void>;
  /**
   * To be called for a HEAD request of a live link: it is not a click, but a sign that a program
   * examines the link.
   */
  headSeen?(token: string): void;
}
