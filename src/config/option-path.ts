import type { Facts } from '../scope/facts.ts';
import type { Effective, Setting } from '../scope/option-value.ts';
import type { Configuration } from './configuration.ts';
import { canonicalLabel, labelMistake } from './label.ts';
import { type Definition, defaultOf } from './option.ts';
import { nearest } from './problem.ts';
import type { Stanza } from './stanza.ts';
import {
  childrenOf,
  definitionOf,
  optionOf,
  placeName,
  places,
  type StanzaDefinition,
  sameName,
  scopesOf,
} from './stanzas.ts';

/** One stanza on the path to an option. */
export interface Step {
  readonly definition: StanzaDefinition;
  /** As written; empty without a label. */
  readonly label: string;
  /** The canonical label. */
  readonly key: string;
}

/** An option, named by the stanzas that contain it. They need not be in the configuration. */
export interface OptionPath {
  readonly steps: readonly Step[];
  readonly option: string;
  readonly definition: Definition;
}

/**
 * Reads `[SCOPE [NAME]]… OPTION`.
 * @throws RangeError whose message names the wrong word and what would be right
 */
export function parseOptionPath(words: readonly string[]): OptionPath {
  const option = words.at(-1)?.toLowerCase() ?? '';
  const scopes = words.slice(0, -1);
  const steps: Step[] = [];
  let scope = definitionOf('global');
  while (scopes.length > 0) {
    const step = takeStep(scope, scopes);
    steps.push(step);
    scope = step.definition;
  }
  const definition = optionOf(scope, option);
  if (!definition) {
    const valid = scopesOf(option);
    const hint =
      valid.length > 0
        ? `; it is valid in ${places(valid)}`
        : nearest(option, Object.keys(scope.options));
    throw new RangeError(`${placeName(scope)} has no option ${option}${hint}`);
  }
  return { steps, option, definition };
}

/** Removes a scope, with its label if it has one, from the front of the words. */
function takeStep(parent: StanzaDefinition, words: string[]): Step {
  const word = words.shift() ?? '';
  const children = childrenOf(parent);
  const definition = children.find((child) => sameName(child, word));
  if (!definition) {
    const names = children.map(({ name }) => name);
    const hint = nearest(word, names) || (names.length > 0 ? `; it has ${names.join(', ')}` : '');
    throw new RangeError(`${placeName(parent)} has no stanza ${word}${hint}`);
  }
  const rule = definition.label;
  const next = words[0] ?? '';
  const isLeftOut = next === '' || childrenOf(definition).some((child) => sameName(child, next));
  if (!rule || (!rule.required && isLeftOut)) return { definition, label: '', key: '' };
  words.shift();
  const key = canonicalLabel(rule.kind, next);
  if (key === undefined) throw new RangeError(labelMistake(definition.name, rule.kind, next));
  return { definition, label: next, key };
}

/** The stanza at the end of a path; undefined if it is not in the configuration. */
export function stanzaAt(root: Stanza, steps: readonly Step[]): Stanza | undefined {
  let stanza: Stanza | undefined = root;
  for (const { definition, key } of steps) stanza = stanza?.child(definition.id, key);
  return stanza;
}

/**
 * Evaluates an option in a scope, with the scopes that it falls back to.
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

/** The facts of the transactions that match a listener's scope. */
function factsOf(steps: readonly Step[]): Facts {
  const label = (id: string) => steps.find(({ definition }) => definition.id === id)?.label;
  const [listener, listen, peer] = [label('esmtp_listener'), label('listen'), label('peer')];
  return {
    ...(listener !== undefined && { listener }),
    ...(listen !== undefined && { listen }),
    ...(peer !== undefined && { peer }),
  };
}

/**
 * The stanzas that decide outside listeners: a group's pathway, the pathway, the group; otherwise
 * the stanza alone.
 */
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
