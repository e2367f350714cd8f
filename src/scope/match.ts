import type { Effective } from './option-value.ts';
import type { TrackingOptions } from './tracking-options.ts';

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
