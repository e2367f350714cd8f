import type { Origin, Setting } from '../scope/option-value.ts';
import {
  type DefaultContext,
  type Definitions,
  defaultOf,
  type Fields,
  fieldsOf,
} from './option.ts';
import { formatOrigin } from './problem.ts';
import type { StanzaDefinition } from './stanzas.ts';
import { inQuotes, jsonValue, type Showing, visible, writeValue } from './write-value.ts';

/** A stanza, merged from all of its appearances. The root is the global scope. */
export class Stanza {
  readonly definition: StanzaDefinition;
  /** The label as first written; absent if there is none. */
  readonly label: string | undefined;
  /** The place of its first appearance. */
  readonly origin: Origin;
  readonly parent: Stanza | undefined;
  readonly settings = new Map<string, Setting>();
  /** Children by the id of their definition and their canonical label. */
  readonly #children = new Map<string, Stanza>();

  constructor(
    definition: StanzaDefinition,
    {
      origin,
      label,
      parent,
    }: { origin: Origin; label?: string | undefined; parent?: Stanza | undefined },
  ) {
    this.definition = definition;
    this.label = label;
    this.origin = origin;
    this.parent = parent;
  }

  get children(): Iterable<Stanza> {
    return this.#children.values();
  }

  childrenOf(id: string): readonly Stanza[] {
    return [...this.children].filter(({ definition }) => definition.id === id);
  }

  /** @param key the canonical label, or '' for none */
  child(id: string, key = ''): Stanza | undefined {
    return this.#children.get(`${id} ${key}`);
  }

  addChild(key: string, child: Stanza): void {
    this.#children.set(`${child.definition.id} ${key}`, child);
  }

  addChildrenOf(other: Stanza): void {
    for (const [key, child] of other.#children) this.#children.set(key, child);
  }

  /** The name with the label: `Listen "*:587"`. */
  get title(): string {
    const { name } = this.definition;
    return this.label === undefined ? name : `${name} ${inQuotes(this.label)}`;
  }

  /** The titles from the top, without the global scope: `ESMTP_Listener > Listen "*:587"`. */
  get path(): string {
    return this.parent?.parent ? `${this.parent.path} > ${this.title}` : this.title;
  }

  /**
   * The root in use after a reload read `next`: the options that a reload applies come from `next`.
   */
  afterReload(next: Stanza): Stanza {
    const root = new Stanza(this.definition, this);
    for (const [name, setting] of this.settings) root.settings.set(name, setting);
    for (const key of new Set([...this.#children.keys(), ...next.#children.keys()])) {
      const child = childAfterReload(this.#children.get(key), next.#children.get(key));
      if (child !== undefined) root.#children.set(key, child);
    }
    return root;
  }

  /**
   * Whether the stanza itself is enabled. The children of a disabled stanza are not in effect
   * either.
   */
  get isEnabled(): boolean {
    return this.settings.get('enable')?.value !== false;
  }
}

function childAfterReload(before?: Stanza, after?: Stanza): Stanza | undefined {
  const either = before ?? after;
  const reloads = either?.definition.reloads;
  if (either === undefined || reloads === undefined) return before;
  if (reloads === 'all') return after;
  const mixed = new Stanza(either.definition, either);
  const [kept, taken] = [before?.settings ?? [], after?.settings ?? []];
  for (const [name, setting] of kept)
    if (!reloads.includes(name)) mixed.settings.set(name, setting);
  for (const [name, setting] of taken)
    if (reloads.includes(name)) mixed.settings.set(name, setting);
  // The sockets of a listener are opened at the start.
  if (before !== undefined) mixed.addChildrenOf(before);
  return mixed;
}

/** Writes a stanza in the grammar of the configuration, each value with its place. */
export function stanzaLines(stanza: Stanza, options: Showing): string[] {
  const settings = [...stanza.settings].map(([name, { value, origin }]) => {
    const definition = stanza.definition.options[name];
    const shown = writeValue(visible(value, definition, options), definition);
    return `${name} = ${shown} # ${formatOrigin(origin)}`;
  });
  const children = [...stanza.children].flatMap((child) => stanzaLines(child, options));
  if (!stanza.parent) return [...settings, ...children];
  const body = [...settings, ...children].map((line) => `  ${line}`);
  return body.length === 0 ? [`${stanza.title} { }`] : [`${stanza.title} {`, ...body, '}'];
}

/** A stanza for JSON, each value with its place. */
export function stanzaJson(stanza: Stanza, options: Showing): object {
  const settings = [...stanza.settings].map(([name, { value, origin }]) => [
    name,
    { value: jsonValue(visible(value, stanza.definition.options[name], options)), origin },
  ]);
  return {
    stanza: stanza.definition.name,
    ...(stanza.label !== undefined && { name: stanza.label }),
    options: Object.fromEntries(settings),
    stanzas: [...stanza.children].map((child) => stanzaJson(child, options)),
  };
}

/**
 * The options of a stanza as the program uses them, with defaults for those that it does not set.
 */
export function stanzaFields<const D extends Definitions>(
  definitions: D,
  stanza: Stanza | undefined,
  context: DefaultContext,
): Fields<D> {
  return fieldsOf(
    definitions,
    (name, definition) => stanza?.settings.get(name)?.value ?? defaultOf(definition, context),
  );
}
