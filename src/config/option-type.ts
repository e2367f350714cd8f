import { dirname, resolve } from 'node:path';
import { parseBoolean, parseChoice, parseWholeNumber } from '../lib/values.ts';
import type { OptionValue, Origin } from '../scope/option-value.ts';
import type { ScalarNode, ValueNode } from './node.ts';

/**
 * How the values of an option are read, and how they are called. `T` is the value as the file has it, `U` the one that
 * the program uses.
 */
export interface OptionType<T extends OptionValue = OptionValue, U = T> {
  /** What is right, to follow "must be". */
  readonly expects: string;
  /** @returns undefined for what is not right, after each mistake was told */
  read(value: ValueNode, tell: TellMistake): T | undefined;
  /** How a value is written, where that is not plain. */
  write?(value: T): string;
  /** Turns the value into what the program uses; absent where that is the value itself. */
  use?(value: T): U;
  /** Follows the name of the field in `Configuration`. */
  readonly suffix?: string;
}

/**
 * @param message follows the name of the option, e.g. `must be on or off`
 * @param given the wrong value, which is repeated only where it cannot be a secret
 */
export type TellMistake = (origin: Origin, message: string, given?: ValueNode) => void;

/**
 * A type of single values.
 * @param parse gives undefined for a text that is no value of the type, or throws a RangeError that says why
 */
export function scalarType<T extends string | number | boolean>(
  expects: string,
  parse: (text: string, origin: Origin) => T | undefined,
): OptionType<T> {
  return {
    expects,
    read(node, tell) {
      try {
        const value = node.kind === 'scalar' ? parse(node.text, node.origin) : undefined;
        if (value === undefined) tell(node.origin, `must be ${expects}`, node);
        return value;
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        tell(node.origin, error.message);
        return undefined;
      }
    },
  };
}

export const booleanType = scalarType(
  'on or off (or true/false, enabled/disabled, 1/0)',
  parseBoolean,
);

export const stringType = scalarType('a text that is not empty', (text) => text || undefined);

export function integerType(min: number, max: number): OptionType<number> {
  return scalarType(`a whole number from ${min} to ${max}`, (text) =>
    parseWholeNumber(text, min, max),
  );
}

/** Seconds in the file, milliseconds in the program: the name of the field ends in `Ms`. */
export interface DurationType extends OptionType<number> {
  readonly suffix: 'Ms';
}

/** A duration, which may have decimals. */
export function secondsType(min: number, max: number): DurationType {
  const type = scalarType(`a number of seconds from ${min} to ${max}`, (text) => {
    const value = /^\d{1,10}(\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : undefined;
  });
  return { ...type, suffix: 'Ms', use: (seconds) => Math.round(seconds * 1000) };
}

const units: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** A number of bytes. */
export const sizeType = scalarType(
  'a number of bytes above 0, or of K, M or G of them (25M)',
  parseSize,
);

/** @param least as it would be written, such as "256M" */
export function sizeFromType(least: string): OptionType<number> {
  const min = parseSize(least) ?? 1;
  return scalarType(`a number of bytes, or of K, M or G of them, of at least ${least}`, (text) => {
    const bytes = parseSize(text);
    return bytes !== undefined && bytes >= min ? bytes : undefined;
  });
}

function parseSize(text: string): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,12})([kmg]?)$/i.exec(text) ?? [];
  const bytes = Number(digits) * (units[unit.toLowerCase()] ?? 1);
  return bytes > 0 && Number.isSafeInteger(bytes) ? bytes : undefined;
}

export function choiceType<const T extends string>(...values: readonly T[]): OptionType<T> {
  const names = values.map((value) => `"${value}"`);
  const expects = `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
  return scalarType(expects, (text) => parseChoice(values, text));
}

/** A file or folder; a relative path starts at the folder of the file it is written in. */
export const pathType = scalarType('a path', (text, { file }) =>
  text === '' || text.includes('\0') ? undefined : resolve(dirname(file), text),
);

/** One value, or an array of them. */
export function listType(item: OptionType<string>): OptionType<readonly string[]> {
  return {
    expects: `a list of: ${item.expects}`,
    read(node, tell) {
      if (node.kind === 'map') {
        tell(node.origin, `must be ( "a" "b" ), each ${item.expects}, not a map`);
        return undefined;
      }
      const items = node.kind === 'array' ? node.items : [node];
      const values = items.map((value) => item.read(value, tell));
      const right = values.filter((value) => value !== undefined);
      return right.length === values.length ? right : undefined;
    },
  };
}

/** A type whose values the program uses in another form, such as patterns as a compiled matcher. */
export function usedAs<T extends OptionValue, U>(
  type: OptionType<T>,
  use: (value: T) => U,
): OptionType<T, U> {
  return { ...type, use };
}

/** A map of names to texts. @param check tells what is wrong with an entry, and then gives false */
export function mapType(
  check: (name: ScalarNode, value: ScalarNode, tell: TellMistake) => boolean,
): OptionType<ReadonlyMap<string, string>> {
  return {
    expects: 'a map: [ name = "value" ]',
    read(node, tell) {
      if (node.kind !== 'map') {
        tell(node.origin, `must be ${this.expects}`, node);
        return undefined;
      }
      const right = node.entries.filter(({ name, value }) => check(name, value, tell));
      if (right.length < node.entries.length) return undefined;
      return new Map(right.map(({ name, value }) => [name.text.toLowerCase(), value.text]));
    },
  };
}

/** The end of a sentence about a wrong value. */
export function notGiven(node: ValueNode): string {
  if (node.kind === 'scalar') return `, not "${node.text}"`;
  return node.kind === 'array' ? ', not an array' : ', not a map';
}
