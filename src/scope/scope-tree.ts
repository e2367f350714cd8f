import type { Facts } from './facts.ts';
import type { Match } from './match.ts';

/** The tracking scopes of one configuration. Immutable; built by config/. */
export class ScopeTree {
  /** The scopes that apply, looked up in microseconds and remembered (bounded). */
  match(_facts: Facts): Match {
    throw new Error('not yet');
  }

  hasPathway(_name: string): boolean {
    throw new Error('not yet');
  }
}
