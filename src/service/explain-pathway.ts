import { describeSource } from '../config/describe-source.ts';
import { writeValue } from '../config/write-value.ts';
import type { ScopeTree } from '../scope/scope-tree.ts';
import type { PathwayOption } from '../web/message-found.ts';

/**
 * Explains which options hold now for mail of a pathway, and where each is set. Links hold no more
 * of what scopes are matched by, so where listener or client matter there are several values.
 */
export function explainPathway(scopes: ScopeTree, pathway: string | undefined): PathwayOption[] {
  return [...scopes.possibleSettings(pathway)].flatMap(([option, settings]) =>
    settings.map((setting) => ({
      option,
      value: writeValue(setting.value),
      source: describeSource(setting),
    })),
  );
}
