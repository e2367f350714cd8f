import type { Facts } from './facts.ts';
import { expandMacros, type MacroLookup, type MacroSettings } from './macro-template.ts';
import type { ScopeTree } from './scope-tree.ts';

/**
 * Reads what the scopes are matched by from the MTA's macros. Of several candidates for the pathway
 * the first that is configured counts.
 */
export function readFacts(
  settings: MacroSettings,
  lookup: MacroLookup,
  scopes: Pick<ScopeTree, 'hasPathway'>,
): Facts {
  const [listener] = expandMacros(settings.listener, lookup);
  const [listen] = expandMacros(settings.listen, lookup);
  const [peer] = expandMacros(settings.peer, lookup);
  const pathways = expandMacros(settings.pathway, lookup);
  const pathway = pathways.find((name) => scopes.hasPathway(name)) ?? pathways[0];
  return {
    ...(listener !== undefined && { listener }),
    ...(listen !== undefined && { listen }),
    ...(peer !== undefined && { peer }),
    ...(pathway !== undefined && { pathway }),
  };
}
