import { formatOrigin } from './problem.ts';
import type { Stanza } from './stanza.ts';
import { jsonValue, type Showing, visible, writeValue } from './write-value.ts';

/** A stanza in the grammar of the configuration, each value with its place. */
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
