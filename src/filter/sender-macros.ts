import { contextVariableNames } from '../scope/context-variables.ts';
import type { MacroLookup } from '../scope/facts.ts';
import type { TrackingOptions } from '../scope/tracking-options.ts';

/** `accept_x_msys_api`: whether the header of this client counts. */
export function believes({ acceptXMsysApi }: TrackingOptions, macro: MacroLookup): boolean {
  if (acceptXMsysApi !== 'authenticated') return acceptXMsysApi === 'any';
  return Boolean(macro('auth_authen') || macro('auth_type'));
}

/** Context variables that came as macros. */
export function contextOf(macro: MacroLookup): ReadonlyMap<string, string> | undefined {
  let found: Map<string, string> | undefined;
  for (const name of contextVariableNames) {
    const value = macro(name);
    if (value === undefined) continue;
    found ??= new Map();
    found.set(name, value);
  }
  return found;
}
