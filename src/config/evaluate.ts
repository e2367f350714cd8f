import type { Facts } from '../scope/facts.ts';
import type { Effective, Setting } from '../scope/option-value.ts';
import type { Configuration } from './configuration.ts';
import { type OptionPath, type Step, stanzaAt } from './find-option.ts';
import { defaultOf } from './option-definition.ts';
import type { Stanza } from './stanza.ts';

/**
 * The value an option has in a scope, with all that it falls back to.
 * @returns undefined for an option that is not set and has no default
 */
export function evaluate(
  root: Stanza,
  { scopes, file, stateDirectory }: Configuration,
  { steps, option, definition }: OptionPath,
): Effective | undefined {
  const first = steps[0]?.definition.id;
  if (first === 'esmtp_listener' && option !== 'enable') {
    return scopes.match(factsOf(steps)).get(option);
  }
  for (const stanza of fallback(root, steps)) {
    const setting: Setting | undefined = stanza.settings.get(option);
    if (setting) return { ...setting, scope: stanza.path };
  }
  const value = defaultOf(definition, { file, stateDirectory });
  return value === undefined ? undefined : { value, origin: 'default', scope: '' };
}

/** The transactions a listener scope stands for. */
function factsOf(steps: readonly Step[]): Facts {
  const label = (id: string) => steps.find(({ definition }) => definition.id === id)?.label;
  const [listener, listen, peer] = [label('esmtp_listener'), label('listen'), label('peer')];
  return {
    ...(listener !== undefined && { listener }),
    ...(listen !== undefined && { listen }),
    ...(peer !== undefined && { peer }),
  };
}

/** Outside of listeners: a group's pathway, the pathway, the group; any other stanza by itself. */
function fallback(root: Stanza, steps: readonly Step[]): readonly Stanza[] {
  const last = steps.at(-1);
  const own = stanzaAt(root, steps);
  const groups = root.childrenOf('pathway_group');
  const chain =
    last?.definition.id === 'pathway'
      ? [
          ...groups.map((group) => group.child('pathway', last.key)),
          root.child('pathway', last.key),
          ...groups.filter((group) => group.child('pathway', last.key)),
        ]
      : [own];
  return chain.filter((stanza) => stanza !== undefined);
}
