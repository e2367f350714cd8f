import { canonicalLabel, labelMistake } from './label.ts';
import { nearest } from './nearest.ts';
import type { Definition } from './option-definition.ts';
import type { StanzaDefinition } from './options.ts';
import type { Stanza } from './stanza.ts';
import {
  childrenOf,
  definitionOf,
  optionOf,
  placeName,
  places,
  sameName,
  scopesOf,
} from './vocabulary.ts';

/** One step of the way to an option. */
export interface Step {
  readonly definition: StanzaDefinition;
  /** As written; '' without a name. */
  readonly label: string;
  /** Canonical. */
  readonly key: string;
}

/** An option named by the stanzas it stands in, whether or not any of them is in the configuration. */
export interface OptionPath {
  readonly steps: readonly Step[];
  readonly option: string;
  readonly definition: Definition;
}

/**
 * Reads `[SCOPE [NAME]]… OPTION`.
 * @throws RangeError whose message says which word is not right, and what would be
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

/** Takes a scope, and its name where it has one, from the front of the words. */
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

/** The stanza a path leads to; undefined where it is not in the configuration. */
export function stanzaAt(root: Stanza, steps: readonly Step[]): Stanza | undefined {
  let stanza: Stanza | undefined = root;
  for (const { definition, key } of steps) stanza = stanza?.child(definition.id, key);
  return stanza;
}
