import type { OptionValue, Setting } from './option-value.ts';
import type { PrefixTable } from './prefix-table.ts';
import type { TrackingOptions } from './tracking-options.ts';

/** A stanza that may set tracking options. */
export interface Scope {
  /** Unique in the tree: how people call it, e.g. `ESMTP_Listener > Listen "*:587"`. */
  readonly label: string;
  readonly settings: ReadonlyMap<string, Setting>;
}

export interface ScopeWithPeers extends Scope {
  readonly peers: PrefixTable<Scope>;
}

export interface ListenerScope extends ScopeWithPeers {
  /** By `formatListen`. */
  readonly listens: ReadonlyMap<string, ScopeWithPeers>;
}

export interface Pathway {
  /** As the configuration spells it. */
  readonly name: string;
  /** The group's pathway, the pathway, the group; those there are. */
  readonly scopes: readonly Scope[];
}

/** What a tree is made of: the enabled stanzas only, with names in lower case as keys. */
export interface Scopes {
  /** The one without a name has the key ''. */
  readonly listeners: ReadonlyMap<string, ListenerScope>;
  readonly pathways: ReadonlyMap<string, Pathway>;
  /** Every tracking option with its default. */
  readonly defaults: ReadonlyMap<string, OptionValue>;
  /** Makes of the effective values what the filter uses. */
  readOptions(get: (option: string) => OptionValue): TrackingOptions;
}
