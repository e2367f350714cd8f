import type { OptionValue } from '../scope/option-value.ts';
import type { Definition } from './option-definition.ts';
import { formatOrigin } from './problem.ts';
import type { Stanza } from './stanza.ts';
import { jsonValue, writeValue } from './write-value.ts';

export interface Showing {
  /** Passwords and tokens as they are. */
  readonly secrets?: true;
}

/** A stanza in the grammar of the configuration, each value with its place. */
export function stanzaLines(stanza: Stanza, options: Showing): string[] {
  const settings = [...stanza.settings].map(([name, { value, origin }]) => {
    const definition = stanza.definition.options[name];
    const shown = writeValue(masked(value, definition, options), definition);
    return `${name} = ${shown} # ${formatOrigin(origin)}`;
  });
  const children = [...stanza.children].flatMap((child) => stanzaLines(child, options));
  if (!stanza.parent) return [...settings, ...children];
  const body = [...settings, ...children].map((line) => `  ${line}`);
  return body.length === 0 ? [`${stanza.title} { }`] : [`${stanza.title} {`, ...body, '}'];
}

export function stanzaJson(stanza: Stanza, options: Showing): object {
  const settings = [...stanza.settings].map(([name, { value, origin }]) => [
    name,
    { value: jsonValue(masked(value, stanza.definition.options[name], options)), origin },
  ]);
  return {
    stanza: stanza.definition.name,
    ...(stanza.label !== undefined && { name: stanza.label }),
    options: Object.fromEntries(settings),
    stanzas: [...stanza.children].map((child) => stanzaJson(child, options)),
  };
}

/** Passwords are not for shoulders and tickets, be they values of their own or parts of a URL. */
function masked(
  value: OptionValue,
  definition: Definition | undefined,
  { secrets }: Showing,
): OptionValue {
  if (secrets || typeof value !== 'string') return value;
  if (definition?.secret) return '********';
  return value.replace(/^(\w+:\/\/[^/:]*:)[^/]*@/, '$1********@');
}
