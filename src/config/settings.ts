import { createHash } from 'node:crypto';
import type { OptionValue } from '../scope/option-value.ts';
import type { Stanza } from './stanza.ts';
import { jsonValue } from './write-value.ts';

/**
 * The settings of a configuration by their path, such as `log > level`: whether a change takes a
 * `reload` or a `restart`, and a hash of the value.
 */
export type Settings = Readonly<Record<string, string>>;

/** Long enough to show a change, too short to find a password. */
const HASH_LENGTH = 4;

export function settingsOf(root: Stanza): Settings {
  return Object.fromEntries(entriesOf(root));
}

/**
 * @param reloads the options that a reload applies; those of a top-level stanza count for its
 * children too
 */
function* entriesOf(
  stanza: Stanza,
  reloads: 'all' | readonly string[] = [],
): Generator<[path: string, setting: string]> {
  const effect = (name: string) =>
    reloads === 'all' || reloads.includes(name) ? 'reload' : 'restart';
  for (const [name, { value }] of stanza.settings) {
    const path = stanza.parent === undefined ? name : `${stanza.path} > ${name}`;
    yield [path, `${effect(name)} ${hashOf(value)}`];
  }
  for (const child of stanza.children) {
    const taken = stanza.parent === undefined ? child.definition.reloads : reloads;
    // A stanza without a label is known by its settings, unless it has no options.
    if (child.label !== undefined || Object.keys(child.definition.options).length === 0) {
      yield [child.path, `${taken === 'all' ? 'reload' : 'restart'} stanza`];
    }
    yield* entriesOf(child, taken);
  }
}

function hashOf(value: OptionValue): string {
  const hash = createHash('sha256').update(JSON.stringify(jsonValue(value)));
  return hash.digest('hex').slice(0, HASH_LENGTH);
}

/** The paths of settings that differ between file and service, by what applies them. */
export interface ChangedSettings {
  readonly reload: readonly string[];
  readonly restart: readonly string[];
}

/** @param inUse the settings of each process */
export function changedSettings(inUse: readonly Settings[], file: Settings): ChangedSettings {
  const all = [file, ...inUse];
  const settingAt = (path: string) => all.flatMap((one) => one[path] ?? [])[0] ?? '';
  const paths = [...new Set(all.flatMap(Object.keys))];
  const changed = paths.filter((path) => inUse.some((one) => one[path] !== file[path]));
  // An added or removed stanza is named alone, without its settings.
  const stanzas = new Set(changed.filter((path) => settingAt(path).endsWith(' stanza')));
  const named = changed.filter((path) => !ancestors(path).some((one) => stanzas.has(one))).sort();
  const having = (effect: string) => named.filter((path) => settingAt(path).startsWith(effect));
  return { reload: having('reload'), restart: having('restart') };
}

function ancestors(path: string): readonly string[] {
  const steps = path.split(' > ');
  return steps.slice(1).map((_, index) => steps.slice(0, index + 1).join(' > '));
}

/** Validates settings that another process sent; undefined if they are invalid. */
export function readSettings(value: unknown): Settings | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const isRight = Object.values(value).every((one) => typeof one === 'string');
  return isRight ? (value as Settings) : undefined;
}
