import { fillBraces } from '../lib/braces.ts';

/** Facts about one transaction from the MTA's macros. Unknown facts are undefined. */
export interface Facts {
  /** The name of the listener, such as Postfix's `{daemon_name}`. */
  readonly listener?: string | undefined;
  /**
   * The place where the MTA accepted the connection: `address:port`, `[v6]:port` or a unix path.
   */
  readonly listen?: string | undefined;
  /** The client's IP address, in any spelling, also `IPv6:2001:db8::1`. */
  readonly peer?: string | undefined;
  /** The pathway that the `pathway` macro names. It is ignored unless it is configured. */
  readonly pathway?: string | undefined;
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
  return {
    listener: firstFilled(settings.listener, lookup),
    listen: firstFilled(settings.listen, lookup),
    peer: firstFilled(settings.peer, lookup),
    pathway:
      firstFilled(settings.pathway, lookup, (name) => scopes.hasPathway(name)) ??
      firstFilled(settings.pathway, lookup),
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
export const LONGEST_MACRO_NAME = 25;

/** Fills in the templates and returns the first whose macros are all set, and that is wanted. */
function firstFilled(
  templates: readonly string[],
  lookup: MacroLookup,
  isWanted: (text: string) => boolean = () => true,
): string | undefined {
  for (const template of templates) {
    const text = fillBraces(template, lookup);
    if (text !== undefined && isWanted(text)) return text;
  }
  return undefined;
}
