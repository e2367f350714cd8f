/**
 * Macro settings of the configuration: templates such as `{daemon_addr}:{daemon_port}`, tried in
 * order. A template is filled in only where each of its macros is known and not empty.
 */
export interface MacroSettings {
  readonly listener: readonly string[];
  readonly listen: readonly string[];
  readonly peer: readonly string[];
  readonly pathway: readonly string[];
  /** Whether the MTA is asked for macros whose names are too long for Sendmail. */
  readonly longNames: boolean;
}

/** Value of a macro by its name without braces; undefined where the MTA did not send it. */
export type MacroLookup = (name: string) => string | undefined;

/** MAXMACNAMELEN: asked for a macro with a longer name, Sendmail refuses all mail with 554. */
export const longestMacroName = 25;

const macro = /\{([A-Za-z0-9_]+)\}/g;

/** The macro names in the templates, without braces: what the MTA must be asked for. */
export function macroNames(templates: readonly string[]): string[] {
  const names = templates.flatMap((template) =>
    [...template.matchAll(macro)].map((match) => match[1] ?? ''),
  );
  return [...new Set(names)];
}

/** The templates that can be filled in, filled in, in order. */
export function expandMacros(templates: readonly string[], lookup: MacroLookup): string[] {
  const filled: string[] = [];
  for (const template of templates) {
    let complete = true;
    const text = template.replace(macro, (_, name: string) => {
      const value = lookup(name) ?? '';
      if (value === '') complete = false;
      return value;
    });
    if (complete) filled.push(text);
  }
  return filled;
}
