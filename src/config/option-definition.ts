import { join } from 'node:path';
import type { OptionValue } from '../scope/option-value.ts';
import { type OptionType, pathType } from './option-type.ts';

/** What a default may depend on. */
export interface DefaultContext {
  /** The configuration file. */
  readonly file: string;
  readonly stateDirectory: string;
}

/** One option: everything that the program, `check`, `config` and the manual page know about it. */
export interface Definition<T extends OptionValue = OptionValue, U = unknown> {
  readonly type: OptionType<T, U>;
  /** Absent where the option is absent unless it is set. */
  readonly default?: T | ((context: DefaultContext) => T) | undefined;
  /** What happens without the option, where `default` does not say it. */
  readonly otherwise?: string;
  /** One line. */
  readonly help: string;
  /** The version that brought the option; absent for those of 0.1.0. */
  readonly since?: string;
  /** Absent where the value is no secret. */
  readonly secret?: Secret;
}

/** What may be shown of an option that holds a secret, or would with a slip; a wrong value is never repeated. */
export type Secret = (value: string) => string;

export type Definitions = Readonly<Record<string, Definition>>;

interface More {
  readonly since?: string;
  readonly secret?: Secret;
}

type Read<Y> = Y extends OptionType<infer T, infer _> ? T : never;

/** An option with a default. */
export function option<Y extends OptionType<OptionValue, unknown>>(
  type: Y,
  defaultValue: NoInfer<Read<Y>>,
  help: string,
  more: More = {},
) {
  return { type, default: defaultValue, help, ...more };
}

/** An option whose default depends on the machine or on other options; `otherwise` describes it. */
export function derived<Y extends OptionType<OptionValue, unknown>>(
  type: Y,
  defaultOf: (context: DefaultContext) => NoInfer<Read<Y>>,
  help: string,
  more: More & { readonly otherwise: string },
) {
  return { type, default: defaultOf, help, ...more };
}

/** An option that is absent where it is not set. */
export function optional<Y extends OptionType<OptionValue, unknown>>(
  type: Y,
  help: string,
  more: More & { readonly otherwise?: string } = {},
) {
  return { type, help, ...more };
}

/** A path that is below the state directory where it is not set. */
export function statePath(name: string, help: string, more: More = {}) {
  return derived(pathType, ({ stateDirectory }) => join(stateDirectory, name), help, {
    otherwise: `${name} in state_directory`,
    ...more,
  });
}

/** The value an option has where it is not set. */
export function defaultOf(
  definition: Definition,
  context: DefaultContext,
): OptionValue | undefined {
  const { default: value } = definition;
  return typeof value === 'function' ? value(context) : value;
}
