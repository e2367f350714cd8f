import { childrenOf, sameName } from './check.ts';
import { canonicalLabel } from './label.ts';
import { nearest } from './nearest.ts';
import type { Definition } from './option-definition.ts';
import { type StanzaDefinition, stanzas } from './options.ts';
import type { Stanza } from './stanza.ts';

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
  const steps: Step[] = [];
  let scope = stanzas.find(({ id }) => id === 'global') as StanzaDefinition;
  for (let at = 0; at < words.length - 1; at += 1) {
    const step = parseStep(scope, words, at);
    if (step.label !== '') at += 1;
    steps.push(step);
    scope = step.definition;
  }
  const definition = Object.hasOwn(scope.options, option) ? scope.options[option] : undefined;
  if (!definition) {
    const near = nearest(option, Object.keys(scope.options));
    const place = scope.id === 'global' ? 'the global scope' : scope.name;
    throw new RangeError(`${place} has no option ${option}${near}`);
  }
  return { steps, option, definition };
}

function parseStep(scope: StanzaDefinition, words: readonly string[], at: number): Step {
  const word = words[at] ?? '';
  const children = childrenOf(scope);
  const definition = children.find((child) => sameName(child, word));
  if (!definition) {
    const names = children.map(({ name }) => name);
    const place = scope.id === 'global' ? 'the global scope' : scope.name;
    const near = nearest(word, names) || (names.length > 0 ? `; it has ${names.join(', ')}` : '');
    throw new RangeError(`${place} has no stanza ${word}${near}`);
  }
  const rule = definition.label;
  const label = words[at + 1] ?? '';
  // A name that may be left out is not the option, and not the next stanza either.
  const isLeftOut =
    at + 2 >= words.length || childrenOf(definition).some((c) => sameName(c, label));
  if (!rule || (!rule.required && isLeftOut)) return { definition, label: '', key: '' };
  const key = canonicalLabel(rule.kind, label);
  if (at + 2 >= words.length || key === undefined) {
    throw new RangeError(`${definition.name} needs a name after it, and then an option`);
  }
  return { definition, label, key };
}

/** The stanza a path leads to; undefined where it is not in the configuration. */
export function stanzaAt(root: Stanza, steps: readonly Step[]): Stanza | undefined {
  let stanza: Stanza | undefined = root;
  for (const { definition, key } of steps) stanza = stanza?.child(definition.id, key);
  return stanza;
}
