import type { OptionValue } from '../scope/option-value.ts';
import { type OptionType, pathType } from './option-type.ts';

/** One option: everything that check, config, the manual page and the reference know about it. */
export interface OptionDefinition<T extends OptionValue = OptionValue> {
  readonly type: OptionType<T>;
  readonly default: T;
  /** One line. */
  readonly description: string;
  /** Shown as stars. */
  readonly secret?: true;
}

/** An option that is absent where it is not set. */
export interface OptionalDefinition<T extends OptionValue = OptionValue> {
  readonly type: OptionType<T>;
  readonly default?: undefined;
  /** What happens without it, where that is worth a word, such as a default that depends on other options. */
  readonly otherwise?: string;
  /** The path below the state directory that is used without it. */
  readonly inState?: string;
  readonly description: string;
  readonly secret?: true;
}

export type Definition = OptionDefinition | OptionalDefinition;
export type Definitions = Readonly<Record<string, Definition>>;

export function option<T extends OptionValue>(
  type: OptionType<T>,
  defaultValue: NoInfer<T>,
  description: string,
): OptionDefinition<T> {
  return { type, default: defaultValue, description };
}

export function optional<T extends OptionValue>(
  type: OptionType<T>,
  description: string,
  more: { otherwise?: string; secret?: true } = {},
): OptionalDefinition<T> {
  return { type, description, ...more };
}

/** A path that is below the state directory where it is not set. */
export function statePath(
  inState: string,
  description: string,
): OptionalDefinition<string> & { readonly inState: string } {
  return { type: pathType, description, otherwise: `${inState} in state_directory`, inState };
}
