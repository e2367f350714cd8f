import type { Definition } from './option-definition.ts';
import { type StanzaDefinition, stanzas } from './options.ts';

/** The stanzas that may stand in one. */
export function childrenOf({ id }: StanzaDefinition): readonly StanzaDefinition[] {
  return stanzas.filter(({ within }) => within.includes(id));
}

export function sameName(stanza: StanzaDefinition, name: string): boolean {
  return stanza.name.toLowerCase() === name.toLowerCase();
}

export function definitionOf(id: string): StanzaDefinition {
  const found = stanzas.find((stanza) => stanza.id === id);
  if (!found) throw new RangeError(`no stanza ${id}`);
  return found;
}

export function optionOf({ options }: StanzaDefinition, name: string): Definition | undefined {
  return Object.hasOwn(options, name) ? options[name] : undefined;
}

export function allOptions(): readonly string[] {
  return stanzas.flatMap(({ options }) => Object.keys(options));
}

export function allStanzas(): readonly string[] {
  return stanzas.filter(({ within }) => within.length > 0).map(({ name }) => name);
}

export function placeName({ id, name }: StanzaDefinition): string {
  if (id === 'global') return 'the global scope';
  return id === 'socket' ? "Listen of clickmilter's own listeners" : name;
}

/** `A, B and C` */
export function places(scopes: readonly StanzaDefinition[]): string {
  const names = scopes.map(placeName);
  const last = names.pop() ?? '';
  return names.length === 0 ? last : `${names.join(', ')} and ${last}`;
}

/** The stanzas in which an option is valid. */
export function scopesOf(option: string): readonly StanzaDefinition[] {
  return stanzas.filter((stanza) => optionOf(stanza, option));
}
