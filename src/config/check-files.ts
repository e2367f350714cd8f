import { resolve } from 'node:path';
import type { Origin } from '../scope/option-value.ts';
import { type DefaultContext, defaultOf } from './option.ts';
import { pathType } from './option-types.ts';
import type { Problems } from './problem.ts';
import type { Stanza } from './stanza.ts';
import { stanzas } from './stanzas.ts';

/** A path of the configuration, and the option that names it. */
interface Named {
  readonly name: string;
  readonly path: string;
  /** Absent for a default. */
  readonly origin?: Origin;
}

/** Options whose file the service writes. */
const WRITTEN: readonly string[] = ['key_file', 'block_list', 'opt_outs', 'log { file }'];

/** Finds a file that the service writes and uses for something else, too: the keys as the log. */
export function checkFiles(root: Stanza, context: DefaultContext, problems: Problems): void {
  const all = [
    { name: 'the configuration', path: resolve(context.file) },
    ...namedIn(root, context),
  ];
  for (const [index, one] of all.entries()) {
    const other = all.slice(0, index).find(({ path }) => path === one.path);
    if (other === undefined || ![one, other].some(({ name }) => WRITTEN.includes(name))) continue;
    const message = `${one.name} is the same file as ${other.name}: each needs its own`;
    problems.error(one.origin ?? other.origin ?? root.origin, message);
  }
}

function namedIn(root: Stanza, context: DefaultContext): readonly Named[] {
  return stanzas.flatMap(({ id, name: stanzaName, options }) => {
    const stanza = id === root.definition.id ? root : root.child(id);
    return Object.entries(options).flatMap(([option, definition]): readonly Named[] => {
      if (definition.type !== pathType) return [];
      const setting = stanza?.settings.get(option);
      const path = setting?.value ?? defaultOf(definition, context);
      if (path === undefined) return [];
      const name = option === 'file' ? `${stanzaName} { ${option} }` : option;
      return [{ name, path: String(path), ...(setting && { origin: setting.origin }) }];
    });
  });
}
