import type { Effective, OptionValue, Setting } from './option-value.ts';
import type { Pathway, Scope, Scopes } from './scopes.ts';
import { readTrackingOptions, type TrackingOptions } from './tracking-options.ts';

/** The scopes that apply to one transaction, most specific first. */
export interface Match {
  /** The name of the pathway in use; absent where none was chosen. */
  readonly pathway?: string;
  /** The tracking options of these scopes alone; `decide` adds header and context variables. Computed once. */
  readonly options: TrackingOptions;
  /** @throws RangeError for a name that is no option of these scopes */
  get(option: string): Effective;
  /** The scopes that matched, most specific first, e.g. `ESMTP_Listener > Listen "*:587"`. */
  chain(): readonly string[];
  /** The match with another pathway (a context variable may name one late). */
  withPathway(name: string): Match;
}

export class ScopeMatch implements Match {
  readonly pathway?: string;
  readonly #tree: Scopes;
  readonly #listenerScopes: readonly Scope[];
  readonly #scopes: readonly Scope[];
  #options: TrackingOptions | undefined;

  /**
   * @param named the pathway of a message's context variable
   * @param fromMacro a configured pathway; '' for none
   */
  constructor(
    tree: Scopes,
    listenerScopes: readonly Scope[],
    { named = '', fromMacro = '' }: { named?: string; fromMacro?: string },
  ) {
    this.#tree = tree;
    this.#listenerScopes = listenerScopes;
    const pathway = this.#choosePathway(named, fromMacro);
    if (pathway) this.pathway = pathway.name;
    this.#scopes = pathway ? [...pathway.scopes, ...listenerScopes] : listenerScopes;
  }

  get options(): TrackingOptions {
    this.#options ??= readTrackingOptions((option) => this.get(option).value);
    return this.#options;
  }

  get(option: string): Effective {
    const found = lookUp(this.#scopes, option);
    if (found) return { ...found.setting, scope: found.scope.label };
    return { value: this.#default(option), origin: 'default', scope: '' };
  }

  chain(): readonly string[] {
    return this.#scopes.map((scope) => scope.label);
  }

  withPathway(name: string): Match {
    return new ScopeMatch(this.#tree, this.#listenerScopes, { named: name });
  }

  #choosePathway(named: string, fromMacro: string): Pathway | undefined {
    const context = lookUp(this.#listenerScopes, 'context')?.setting.value;
    const chosen =
      named ||
      (context instanceof Map && context.get('pathway')) ||
      fromMacro ||
      lookUp(this.#listenerScopes, 'pathway')?.setting.value;
    const name = String(chosen || this.#default('pathway'));
    // A name nobody configured is still the pathway of the reports; the default one is not worth naming.
    return (
      this.#tree.pathways.get(name.toLowerCase()) ?? (chosen ? { name, scopes: [] } : undefined)
    );
  }

  #default(option: string): OptionValue {
    const value = this.#tree.defaults.get(option);
    if (value === undefined) throw new RangeError(`${option} is not a tracking option`);
    return value;
  }
}

function lookUp(
  scopes: readonly Scope[],
  option: string,
): { scope: Scope; setting: Setting } | undefined {
  for (const scope of scopes) {
    const setting = scope.settings.get(option);
    if (setting) return { scope, setting };
  }
  return undefined;
}
