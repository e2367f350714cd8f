/**
 * Macro settings of the configuration: templates such as `{daemon_addr}:{daemon_port}`, tried in order.
 * The first whose macros are all known, and not empty, is the value.
 */
export interface MacroSettings {
  readonly listener: readonly string[];
  readonly listen: readonly string[];
  readonly peer: readonly string[];
  readonly pathway: readonly string[];
}

/** Value of a macro by its name without braces; undefined where the MTA did not send it. */
export type MacroLookup = (name: string) => string | undefined;

/** The macro names in the templates, without braces: what the MTA must be asked for. */
export function macroNames(_templates: readonly string[]): string[] {
  throw new Error('not yet');
}

/** The templates that can be filled in, filled in, in order. */
export function expandMacros(_templates: readonly string[], _lookup: MacroLookup): string[] {
  throw new Error('not yet');
}
