import { join } from 'node:path';
import type { OptionValue } from '../scope/option-value.ts';
import { type OptionType, pathType } from './option-types.ts';

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

const STARS = '********';

/** For a value that is a secret as a whole. */
export const hidden = () => STARS;

/** For a value that holds no secret where it is right. */
export const shown = (value: string) => value;

/** For a URL whose login is a secret. */
export function withoutLogin(url: string): string {
  return url.replace(/^(\w+:\/\/)[^/?#]*@/, `$1${STARS}@`);
}

/** For a URL whose path and query may be secrets as well, as those of many webhooks are. */
export function originOnly(url: string): string {
  const { protocol, host, username, password, pathname, search, hash } = new URL(url);
  const login = username + password === '' ? '' : `${STARS}@`;
  return `${protocol}//${login}${host}/${pathname + search + hash === '/' ? '' : STARS}`;
}

type CamelCase<S extends string> = S extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S;

type FieldName<Name extends string, D> = D extends {
  readonly type: { readonly suffix: infer Suffix extends string };
}
  ? `${CamelCase<Name>}${Suffix}`
  : CamelCase<Name>;

type FieldValue<D> = D extends { readonly type: OptionType<infer _, infer U> } ? U : never;

/** The names of the options that always have a value. */
type Certain<D> = {
  [K in keyof D]: D[K] extends { readonly default: unknown } ? K : never;
}[keyof D];

/**
 * The options of a table as the program uses them: `idle_timeout` is `idleTimeoutMs`, and those without a default are
 * optional.
 */
export type Fields<D extends Definitions> = {
  readonly [K in keyof D & string as K extends Certain<D> ? FieldName<K, D[K]> : never]: FieldValue<
    D[K]
  >;
} & {
  readonly [K in keyof D & string as K extends Certain<D>
    ? never
    : FieldName<K, D[K]>]?: FieldValue<D[K]>;
};

/** @param effective the effective value of an option; undefined where it has none */
export function fieldsOf<const D extends Definitions>(
  definitions: D,
  effective: (name: string, definition: Definition) => OptionValue | undefined,
): Fields<D> {
  const fields = Object.entries(definitions).flatMap(([name, definition]) => {
    const value = effective(name, definition);
    const { suffix = '', use } = definition.type;
    return value === undefined ? [] : [[camelCase(name) + suffix, use ? use(value) : value]];
  });
  // The values were read by the types of these very definitions.
  return Object.fromEntries(fields) as Fields<D>;
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
