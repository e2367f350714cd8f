import { fillBraces } from '../lib/braces.ts';

/** Facts about one transaction from the MTA's macros. Unknown facts are absent. */
export interface Facts {
  /** The name of the listener, such as Postfix's `{daemon_name}`. */
  readonly listener?: string;
  /**
   * The place where the MTA accepted the connection: `address:port`, `[v6]:port` or a unix path.
   */
  readonly listen?: string;
  /** The client's IP address, in any spelling, also `IPv6:2001:db8::1`. */
  readonly peer?: string;
  /** The pathway that the `pathway` macro names. It is ignored unless it is configured. */
  readonly pathway?: string;
}

/**
 * Reads the facts that scopes are matched by from the MTA's macros. The pathway is the first
 * candidate that is configured.
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
 * The `macros` stanza: templates such as `{daemon_addr}:{daemon_port}`, tried in order. A template
 * is filled in only if each of its macros is set and not empty.
 */
export interface MacroSettings {
  readonly listener: readonly string[];
  readonly listen: readonly string[];
  readonly peer: readonly string[];
  readonly pathway: readonly string[];
  /** Whether the MTA is asked for macros with names too long for Sendmail. */
  readonly longNames: boolean;
}

/**
 * Returns the value of a macro by its name without braces; undefined if the MTA did not send it.
 */
export type MacroLookup = (name: string) => string | undefined;

/** MAXMACNAMELEN. If a milter asks for a longer name, Sendmail refuses all mail with 554. */
export const longestMacroName = 25;

/** Fills in the templates and returns those whose macros are all set, in order. */
function expandMacros(templates: readonly string[], lookup: MacroLookup): string[] {
  return templates.flatMap((template) => fillBraces(template, lookup) ?? []);
}
