import { BoundedCache } from '../lib/bounded-cache.ts';
import type { PrefixTable } from '../lib/prefix-table.ts';
import type { Effective, OptionValue, Setting } from './option-value.ts';
import type { TrackingOptions } from './tracking-options.ts';

/** A stanza that may set tracking options. */
export interface Scope {
  /** The name, unique in the tree, for example `ESMTP_Listener > Listen "*:587"`. */
  readonly label: string;
  readonly settings: ReadonlyMap<string, Setting>;
}

export interface ScopeWithPeers extends Scope {
  readonly peers: PrefixTable<Scope>;
}

export interface ListenerScope extends ScopeWithPeers {
  /** By the key that `formatListen` gives. */
  readonly listens: ReadonlyMap<string, ScopeWithPeers>;
}

export interface Pathway {
  /** As spelled in the configuration. */
  readonly name: string;
  /** The group's pathway, the pathway, and the group, as far as they exist. */
  readonly scopes: readonly Scope[];
}

/** The scopes of a tree: enabled stanzas only, with names in lower case as keys. */
export interface Scopes {
  /** The listener without a name has the key ''. */
  readonly listeners: ReadonlyMap<string, ListenerScope>;
  readonly pathways: ReadonlyMap<string, Pathway>;
  /** Every tracking option with its default. */
  readonly defaults: ReadonlyMap<string, OptionValue>;
  /** Converts the effective values to what the filter uses. */
  readOptions(get: (option: string) => OptionValue): TrackingOptions;
}

export type PathwayChoice =
  /** Given to `withPathway`. */
  | { readonly kind: 'name' }
  /** The fact that a macro of the `macros` stanza gives. */
  | { readonly kind: 'fact' }
  /** A context variable or the option of a listener's scope. */
  | { readonly kind: 'context' | 'option'; readonly setting: Effective };

/** The scopes that apply to one transaction, most specific first. */
export interface Match {
  /** The name of the pathway in use; absent if none was chosen. */
  readonly pathway?: string;
  /** The origin of the pathway; absent if none was chosen. */
  readonly pathwayBy?: PathwayChoice;
  /**
   * The tracking options of these scopes, computed once. `decide` adds header and context
   * variables.
   */
  readonly options: TrackingOptions;
  /** @throws RangeError for a name that is not an option of these scopes */
  get(option: string): Effective;
  /** Every option of these scopes with its effective value. */
  settings(): ReadonlyMap<string, Effective>;
  /** The matching scopes, most specific first, for example `ESMTP_Listener > Listen "*:587"`. */
  chain(): readonly string[];
  /** The match with another pathway, which a context variable may name after the match. */
  withPathway(name: string): Match;
}

export class ScopeMatch implements Match {
  readonly pathway?: string;
  readonly pathwayBy?: PathwayChoice;
  readonly #tree: Scopes;
  readonly #listenerScopes: readonly Scope[];
  readonly #scopes: readonly Scope[];
  readonly #withPathway = new BoundedCache<string, Match>(64);
  #options: TrackingOptions | undefined;

  /**
   * @param named the pathway that a context variable of the message names
   * @param fact a configured pathway, or '' for none
   */
  constructor(
    tree: Scopes,
    listenerScopes: readonly Scope[],
    { named = '', fact = '' }: { named?: string; fact?: string },
  ) {
    this.#tree = tree;
    this.#listenerScopes = listenerScopes;
    const context = lookUp(listenerScopes, 'context');
    const variable = context?.value instanceof Map ? context.value.get('pathway') : undefined;
    const option = lookUp(listenerScopes, 'pathway');
    const choice =
      choose(named, { kind: 'name' }) ??
      choose(variable, context && { kind: 'context', setting: context }) ??
      choose(fact, { kind: 'fact' }) ??
      choose(option?.value, option && { kind: 'option', setting: option });
    const name = choice?.name ?? String(tree.defaults.get('pathway'));
    const configured = tree.pathways.get(name.toLowerCase());
    // A pathway that is not configured still appears in reports, unless it is the default one.
    const pathway: Pathway | undefined = configured ?? (choice && { name, scopes: [] });
    if (pathway) this.pathway = pathway.name;
    if (choice) this.pathwayBy = choice.by;
    this.#scopes = [...(pathway?.scopes ?? []), ...listenerScopes];
  }

  get options(): TrackingOptions {
    this.#options ??= this.#tree.readOptions((option) => this.get(option).value);
    return this.#options;
  }

  get(option: string): Effective {
    const found = lookUp(this.#scopes, option);
    if (found) return found;
    const value = this.#tree.defaults.get(option);
    if (value === undefined) throw new RangeError(`${option} is not a tracking option`);
    return { value, origin: 'default', scope: '' };
  }

  settings(): ReadonlyMap<string, Effective> {
    return new Map([...this.#tree.defaults.keys()].map((option) => [option, this.get(option)]));
  }

  chain(): readonly string[] {
    return this.#scopes.map((scope) => scope.label);
  }

  withPathway(name: string): Match {
    return this.#withPathway.getOrMake(
      name,
      () => new ScopeMatch(this.#tree, this.#listenerScopes, { named: name }),
    );
  }
}

function choose(
  name: OptionValue | undefined,
  by: PathwayChoice | undefined,
): { name: string; by: PathwayChoice } | undefined {
  return name && by ? { name: String(name), by } : undefined;
}

/** The setting of an option in the first of these scopes that has one. */
export function lookUp(scopes: readonly Scope[], option: string): Effective | undefined {
  for (const { settings, label } of scopes) {
    const setting = settings.get(option);
    if (setting) return { ...setting, scope: label };
  }
  return undefined;
}
