import { join } from 'node:path';
import type { OptionValue } from '../scope/option-value.ts';
import type { OptionType } from './option-type.ts';
import { pathType } from './option-types.ts';

/** The values that a default may depend on. */
export interface DefaultContext {
  /** The configuration file. */
  readonly file: string;
  readonly stateDirectory: string;
}

/**
 * One option: everything that the program, `check`, `config`, the reference file and the
 * documentation know about it.
 */
export interface Definition<T extends OptionValue = OptionValue, U = unknown> {
  readonly type: OptionType<T, U>;
  /** Absent for an option that has no value unless it is set. */
  readonly default?: T | ((context: DefaultContext) => T) | undefined;
  /** Describes the value of an option that is not set, where `default` cannot. */
  readonly otherwise?: string;
  /** Complete sentences, for the manual page, the reference file and the documentation. */
  readonly help: string;
  /**
   * The value that the reference file shows, as it is written there, where `default` is not worth
   * showing.
   */
  readonly example?: string;
  /** The version that introduced the option; absent for options of 0.1.0. */
  readonly since?: string;
  /** Absent where the value is not a secret. */
  readonly secret?: Secret;
}

/**
 * Masks a value that is, or may by mistake contain, a secret. Messages about a wrong value never
 * repeat it.
 */
type Secret = (value: string) => string;

export type Definitions = Readonly<Record<string, Definition>>;

interface More {
  readonly since?: string;
  readonly example?: string;
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

/** An option that has no value unless it is set. */
export function optional<Y extends OptionType<OptionValue, unknown>>(
  type: Y,
  help: string,
  more: More & { readonly otherwise?: string } = {},
) {
  return { type, help, ...more };
}

/** A path whose default is below the state directory. */
export function statePath(name: string, help: string, more: More = {}) {
  return derived(pathType, ({ stateDirectory }) => join(stateDirectory, name), help, {
    otherwise: `${name} in state_directory`,
    example: `"/var/lib/clickmilter/${name}"`,
    ...more,
  });
}

/** The value of an option that is not set. */
export function defaultOf(
  definition: Definition,
  context: DefaultContext,
): OptionValue | undefined {
  const { default: value } = definition;
  return typeof value === 'function' ? value(context) : value;
}

const STARS = '********';

/** Masks a value that is a secret as a whole. */
export const hidden = () => STARS;

/** Masks nothing: a correct value holds no secret. */
export const shown = (value: string) => value;

/** Masks the login of a URL. */
export function withoutLogin(url: string): string {
  return url.replace(/^(\w+:\/\/)[^/?#]*@/, `$1${STARS}@`);
}

/**
 * Masks the login, path and query of a URL: in many webhooks' URLs each of them may be a secret.
 */
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

/** The names of the options that have a default. */
type Certain<D> = {
  [K in keyof D]: D[K] extends { readonly default: unknown } ? K : never;
}[keyof D];

/**
 * The options of a table as the program uses them: `idle_timeout` is `idleTimeoutMs`, and an option
 * without a default is optional.
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

/**
 * Converts the options of a table to what the program uses.
 * @param effective returns the effective value of an option; undefined if it has none
 */
export function fieldsOf<const D extends Definitions>(
  definitions: D,
  effective: (name: string, definition: Definition) => OptionValue | undefined,
): Fields<D> {
  const fields = Object.entries(definitions).flatMap(([name, definition]) => {
    const value = effective(name, definition);
    const { suffix = '', use } = definition.type;
    return value === undefined ? [] : [[camelCase(name) + suffix, use ? use(value) : value]];
  });
  // Each value was read by the type of its definition.
  return Object.fromEntries(fields) as Fields<D>;
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
