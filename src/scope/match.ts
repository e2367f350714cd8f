import { BoundedCache } from './bounded-cache.ts';
import type { Effective, OptionValue } from './option-value.ts';
import type { Pathway, Scope, Scopes } from './scopes.ts';
import type { TrackingOptions } from './tracking-options.ts';

export type PathwayChoice =
  /** `withPathway`. */
  | { readonly kind: 'name' }
  /** The fact, from the macro of the `macros` stanza. */
  | { readonly kind: 'fact' }
  /** The context variable or the option of a listener's scope. */
  | { readonly kind: 'context' | 'option'; readonly setting: Effective };

/** The scopes that apply to one transaction, most specific first. */
export interface Match {
  /** The name of the pathway in use; absent where none was chosen. */
  readonly pathway?: string;
  /** What chose it; absent where none was chosen. */
  readonly pathwayBy?: PathwayChoice;
  /** The tracking options of these scopes alone; `decide` adds header and context variables. Computed once. */
  readonly options: TrackingOptions;
  /** @throws RangeError for a name that is no option of these scopes */
  get(option: string): Effective;
  /** Every option of these scopes with its effective value. */
  settings(): ReadonlyMap<string, Effective>;
  /** The scopes that matched, most specific first, e.g. `ESMTP_Listener > Listen "*:587"`. */
  chain(): readonly string[];
  /** The match with another pathway (a context variable may name one late). */
  withPathway(name: string): Match;
}

export class ScopeMatch implements Match {
  readonly pathway?: string;
  readonly pathwayBy?: PathwayChoice;
  readonly #tree: Scopes;
  readonly #listenerScopes: readonly Scope[];
  readonly #scopes: readonly Scope[];
  readonly #withPathway = new BoundedCache<Match>(64);
  #options: TrackingOptions | undefined;

  /**
   * @param named the pathway of a message's context variable
   * @param fact a configured pathway; '' for none
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
    // A name nobody configured is still the pathway of the reports; the default one is not worth naming.
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
    let match = this.#withPathway.get(name);
    if (!match) {
      match = new ScopeMatch(this.#tree, this.#listenerScopes, { named: name });
      this.#withPathway.set(name, match);
    }
    return match;
  }
}

function choose(
  name: OptionValue | undefined,
  by: PathwayChoice | undefined,
): { name: string; by: PathwayChoice } | undefined {
  return name && by ? { name: String(name), by } : undefined;
}

function lookUp(scopes: readonly Scope[], option: string): Effective | undefined {
  for (const { settings, label } of scopes) {
    const setting = settings.get(option);
    if (setting) return { ...setting, scope: label };
  }
  return undefined;
}
