import type { Facts } from './facts.ts';
import type { MacroLookup, MacroSettings } from './macro-template.ts';
import type { ScopeTree } from './scope-tree.ts';

/**
 * Reads what the scopes are matched by from the MTA's macros. Of several pathway candidates the
 * first that is configured counts.
 */
export function readFacts(
  _settings: MacroSettings,
  _lookup: MacroLookup,
  _scopes: ScopeTree,
): Facts {
  throw new Error('not yet');
}
