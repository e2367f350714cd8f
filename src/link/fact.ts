import { isRecord } from '../lib/values.ts';

/** JSON Schema of a value. */
export type Schema = Readonly<Record<string, unknown>>;

/**
 * The values that a fact can have: how to check one that is read back, and what describes it to
 * other programs.
 */
export interface Shape<T> {
  isValid(value: unknown): value is T;
  readonly schema: Schema;
}

export const text: Shape<string> = {
  isValid: (value) => typeof value === 'string',
  schema: { type: 'string' },
};

/** Characters of the longest URL to which a link leads. */
export const MAX_TARGET = 8192;

/** The fields of events that hold where a link leads: an http or https URL of ASCII characters. */
export const urlField = {
  schema: { type: 'string', pattern: '^[Hh][Tt][Tt][Pp][Ss]?://[ -~]+$' },
  maxLength: MAX_TARGET,
} as const;

export const texts: Shape<readonly string[]> = {
  isValid: (value): value is readonly string[] => Array.isArray(value) && value.every(text.isValid),
  schema: { type: 'array', items: text.schema },
};

export const textOrTexts: Shape<string | readonly string[]> = {
  isValid: (value) => text.isValid(value) || texts.isValid(value),
  schema: { anyOf: [text.schema, texts.schema] },
};

export const truth: Shape<boolean> = {
  isValid: (value) => typeof value === 'boolean',
  schema: { type: 'boolean' },
};

export const count: Shape<number> = {
  isValid: (value): value is number => Number.isSafeInteger(value) && Number(value) >= 0,
  schema: { type: 'integer', minimum: 0 },
};

/** Seconds, up to the last one of the year 9999, beyond which no date can be written. */
export const seconds: Shape<number> = {
  isValid: (value): value is number => count.isValid(value) && value < 253_402_300_800,
  schema: count.schema,
};

export const object: Shape<Readonly<Record<string, unknown>>> = {
  isValid: isRecord,
  schema: { type: 'object' },
};

export function oneOf<const T>(...values: readonly T[]): Shape<T> {
  return {
    isValid: (value): value is T => values.includes(value as T),
    schema: values.length === 1 ? { const: values[0] } : { enum: values },
  };
}

export function listOf<const T>(...values: readonly T[]): Shape<readonly T[]> {
  const one = oneOf(...values);
  return {
    isValid: (value): value is readonly T[] => Array.isArray(value) && value.every(one.isValid),
    schema: { type: 'array', minItems: 1, uniqueItems: true, items: one.schema },
  };
}

/** The facts of a message that others are read or written by. */
export interface Basics {
  readonly injectionTime: number;
  readonly recipients: readonly string[];
}

/** One field of a click event. */
export interface EventField<T> {
  readonly description: string;
  /** Whether it is clickmilter's own, and Momentum's events do not have it. */
  readonly own?: true;
  readonly required?: true;
  /** Absent where it is that of the fact. */
  readonly schema?: Schema;
  /** The field's value, if it is not the fact itself; undefined leaves the field out. */
  from?(value: T | undefined, facts: Basics): unknown;
  /** Characters after which a text is cut. */
  readonly maxLength?: number;
  /**
   * Rank among the fields that an event leaves out if it is too long; those without a rank stay.
   */
  readonly drop?: number;
}

/** How a record holds a fact that it does not hold as it is. */
interface Stored<T> {
  readonly shape: Shape<unknown>;
  /** @returns undefined for a fact that need not be stored */
  write(value: T | undefined, message: Basics): unknown;
  /** @param value of the shape */
  read(value: never, message: Basics): T;
}

export interface FactOptions<T> {
  /** Known of every message, link or click. */
  readonly required?: true;
  /**
   * Name in the records of stored links, and in sealed ones. Names are never used again for another
   * fact.
   */
  readonly key?: string;
  readonly stored?: Stored<T>;
  /** Whether the instances of a newsletter may have it in common, so that it is stored once. */
  readonly shared?: true;
  /** Whether it may tell who the recipient is. */
  readonly personal?: true;
  /**
   * Whether sealed links hold it: all of them, all unless it is longer than 255 bytes, or those
   * that have room, in the order of this rank (below 1: all of them, since the event or the
   * redirect would be wrong without it). Absent for none.
   */
  readonly sealed?: 'always' | 'bounded' | number;
  /** Fields of click events, by name. */
  readonly event?: Readonly<Record<string, EventField<T>>>;
}

export type Fact<T = unknown> = FactOptions<T> & { readonly shape: Shape<T> };

export type FactTable = Readonly<Record<string, Fact>>;

/** An entry of a fact table. */
export function fact<T, const O extends FactOptions<T>>(
  shape: Shape<T>,
  options: O,
): O & { readonly shape: Shape<T> } {
  return { shape, ...options };
}

/** The facts of a table, in its order. */
export function factsIn<Table extends FactTable>(
  table: Table,
): readonly (Fact & { readonly name: keyof Table })[] {
  return Object.entries(table).map(([name, entry]) => ({ ...entry, name }));
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: what JSON escapes.
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/;

/** JSON of a value: for most texts faster than JSON.stringify, which is called for each alone. */
export function jsonOf(value: unknown): string {
  if (typeof value === 'string' && !ESCAPED.test(value)) return `"${value}"`;
  return typeof value === 'number' ? `${value}` : JSON.stringify(value);
}

type ValueOf<F> = F extends { readonly shape: Shape<infer T> } ? T : never;
type Needed<Table> = {
  [Name in keyof Table]: Table[Name] extends { readonly required: true } ? Name : never;
}[keyof Table];
type Flat<T> = { [Name in keyof T]: T[Name] };

/** The facts of a table: the required ones, and the others where they are known. */
export type FactsOf<Table> = Flat<
  { readonly [Name in keyof Table as Name & Needed<Table>]: ValueOf<Table[Name]> } & {
    readonly [Name in keyof Table as Exclude<Name, Needed<Table>>]?:
      | ValueOf<Table[Name]>
      | undefined;
  }
>;

type Unite<T> = (T extends unknown ? (each: T) => void : never) extends (all: infer U) => void
  ? U
  : never;
type FieldOf<Field, T> = Field extends { from(...given: never): infer V }
  ? Exclude<V, undefined>
  : T;
type FieldsOfFact<F> = F extends { readonly event: infer Fields }
  ? Flat<
      {
        readonly [Name in keyof Fields as Name & Needed<Fields>]: FieldOf<Fields[Name], ValueOf<F>>;
      } & {
        readonly [Name in keyof Fields as Exclude<Name, Needed<Fields>>]?: FieldOf<
          Fields[Name],
          ValueOf<F>
        >;
      }
    >
  : never;

/** The fields of an event that the facts of a table make. */
export type EventFieldsOf<Table> = Flat<Unite<FieldsOfFact<Table[keyof Table]>>>;
