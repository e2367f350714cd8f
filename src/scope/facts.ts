/** What the MTA's macros say about one transaction; what is not known is absent. */
export interface Facts {
  /** The listener's name, e.g. Postfix's `{daemon_name}`. */
  readonly listener?: string;
  /** `address:port`, `[v6]:port` or a unix path: where the MTA accepted the connection. */
  readonly listen?: string;
  /** The client's IP address, in any spelling, also `IPv6:2001:db8::1`. */
  readonly peer?: string;
  /** A candidate for the pathway from the `pathway` macro; counts only where such a pathway is configured. */
  readonly pathway?: string;
}

/**
 * Reads what the scopes are matched by from the MTA's macros. Of several candidates for the pathway
 * the first that is configured counts.
 */
export function readFacts(
  settings: MacroSettings,
  lookup: MacroLookup,
  scopes: { hasPathway(name: string): boolean },
): Facts {
  const [listener] = expandMacros(settings.listener, lookup);
  const [listen] = expandMacros(settings.listen, lookup);
  const [peer] = expandMacros(settings.peer, lookup);
  const pathways = expandMacros(settings.pathway, lookup);
  const pathway = pathways.find((name) => scopes.hasPathway(name)) ?? pathways[0];
  return {
    ...(listener !== undefined && { listener }),
    ...(listen !== undefined && { listen }),
    ...(peer !== undefined && { peer }),
    ...(pathway !== undefined && { pathway }),
  };
}

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
