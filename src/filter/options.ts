import type { LinkIssuer } from '../link/link-store.ts';
import type { ReadingLimits } from '../message/reading-options.ts';
import type { HeaderLimit } from '../milter/message-limits.ts';
import type { Limits } from '../milter/options.ts';
import type { CopySink } from '../preview/copies.ts';
import type { MessageFieldLimits } from '../scope/context-variables.ts';
import type { Facts, MacroLookup, MacroSettings } from '../scope/facts.ts';
import type { ScopeTree } from '../scope/scope-tree.ts';
import type { SentCounter } from '../store/counters.ts';
import type { OptOuts } from '../store/store.ts';
import type { MessageMemory } from './message-memory.ts';

/** The settings that a transaction uses. It keeps to one snapshot. */
export interface FilterSettings {
  readonly scopes: ScopeTree;
  readonly macros: MacroSettings;
  /** Whether there is an `smtpapi` stanza. */
  readonly smtpapi: boolean;
  readonly engagementTracker: MessageFieldLimits & {
    readonly clickTrackingIncludeMetadata: boolean;
  };
  readonly reading: ReadingLimits;
  /**
   * A message beyond one of these passes untouched. The milter server would count them, too, but
   * would end the message for the filter, which then could not remove headers.
   */
  readonly limits: Pick<Limits, HeaderLimit>;
}

/** What is known at MAIL. */
export interface Envelope {
  /** Looks up a macro of the MTA. */
  readonly macro: MacroLookup;
  /** Facts that override those of the macros. */
  readonly facts?: Facts;
  /** Without angle brackets: empty for the null sender, undefined if it is not known. */
  readonly sender: string | undefined;
  /** Looks up the queue id, which the MTA knows at the end of the message at the latest. */
  readonly queueId?: () => string | undefined;
  /** Whether the MTA lets the body be changed; default true. */
  readonly mayChangeBody?: boolean;
}

/** What transactions share. */
export interface FilterParts {
  readonly issuer: LinkIssuer;
  /** The issuer for `on_failure = seal`. */
  readonly sealed: LinkIssuer;
  readonly counter: SentCounter;
  readonly optOuts: OptOuts;
  /** Undefined for commands, which keep no previews. */
  readonly previews?: CopySink | undefined;
  /** Undefined for commands, which read one message at a time. */
  readonly memory?: MessageMemory;
}
