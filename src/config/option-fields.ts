import type { OptionValue } from '../scope/option-value.ts';
import {
  type DefaultContext,
  type Definition,
  type Definitions,
  defaultOf,
} from './option-definition.ts';
import type { OptionType } from './option-type.ts';
import type { Stanza } from './stanza.ts';

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

/** The fields of a stanza, with the defaults of what it does not set. */
export function stanzaFields<const D extends Definitions>(
  definitions: D,
  stanza: Stanza | undefined,
  context: DefaultContext,
): Fields<D> {
  return fieldsOf(
    definitions,
    (name, definition) => stanza?.settings.get(name)?.value ?? defaultOf(definition, context),
  );
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
