import { parseChoice } from '../lib/values.ts';
import type { OptionValue, Origin } from '../scope/option-value.ts';
import type { ScalarNode, ValueNode } from './parser.ts';

/**
 * The type of an option: how its values are read, named and written. `T` is the value in the file,
 * `U` the value that the program uses.
 */
export interface OptionType<T extends OptionValue = OptionValue, U = T> {
  /** Describes valid values; follows "must be". */
  readonly expects: string;
  /** @returns undefined for an invalid value, after reporting each mistake */
  read(value: ValueNode, report: ReportMistake): T | undefined;
  /** Writes a value, if the general form does not suit it. */
  write?(value: T): string;
  /** Converts the value to the form that the program uses; absent if that is the same. */
  use?(value: T): U;
  /** The words that are valid, if the type is a choice. */
  readonly choices?: readonly string[];
  /** Suffix of the name of the field in `Configuration`. */
  readonly suffix?: string;
}

/**
 * @param message follows the name of the option, e.g. `must be on or off`
 * @param given the invalid value, which is repeated only if it cannot be a secret
 */
type ReportMistake = (origin: Origin, message: string, given?: ValueNode) => void;

/**
 * A type of single values.
 * @param parse returns undefined for an invalid text, or throws a RangeError that says why
 */
export function scalarType<T extends string | number | boolean>(
  expects: string,
  parse: (text: string, origin: Origin) => T | undefined,
): OptionType<T> {
  return {
    expects,
    read(node, report) {
      try {
        const value = node.kind === 'scalar' ? parse(node.text, node.origin) : undefined;
        if (value === undefined) report(node.origin, `must be ${expects}`, node);
        return value;
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        report(node.origin, error.message);
        return undefined;
      }
    },
  };
}

export function choiceType<const T extends string>(...values: readonly T[]): OptionType<T> {
  const names = values.map((value) => `"${value}"`);
  const expects = `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
  return { ...scalarType(expects, (text) => parseChoice(values, text)), choices: values };
}

/** One value, or a list of them. */
export function listType<T extends string>(item: OptionType<T>): OptionType<readonly T[]> {
  return {
    expects: `a list of: ${item.expects}`,
    read(node, report) {
      if (node.kind === 'map') {
        report(node.origin, `must be ( "a" "b" ), each ${item.expects}, not a map`);
        return undefined;
      }
      const items = node.kind === 'array' ? node.items : [node];
      const values = items.map((value) => item.read(value, report));
      const right = values.filter((value) => value !== undefined);
      return right.length === values.length ? right : undefined;
    },
  };
}

/**
 * A map of names to strings.
 * @param check reports a mistake in an entry and then returns false
 */
export function mapType(
  check: (name: ScalarNode, value: ScalarNode, report: ReportMistake) => boolean,
): OptionType<ReadonlyMap<string, string>> {
  return {
    expects: 'a map: [ name = "value" ]',
    read(node, report) {
      if (node.kind !== 'map') {
        report(node.origin, `must be ${this.expects}`, node);
        return undefined;
      }
      const right = node.entries.filter(({ name, value }) => check(name, value, report));
      if (right.length < node.entries.length) return undefined;
      return new Map(right.map(({ name, value }) => [name.text.toLowerCase(), value.text]));
    },
  };
}

/**
 * A type whose values the program uses in another form, such as patterns in the form of a compiled
 * matcher.
 */
export function usedAs<T extends OptionValue, U>(
  type: OptionType<T>,
  use: (value: T) => U,
): OptionType<T, U> {
  return { ...type, use };
}

/** The end of a message about an invalid value. */
export function notGiven(node: ValueNode): string {
  if (node.kind === 'scalar') return `, not "${node.text}"`;
  return node.kind === 'array' ? ', not a list' : ', not a map';
}
