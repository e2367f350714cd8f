import { type OptionType, scalarType } from './option-type.ts';

/* The types of options that are a quantity: a number of seconds, or a number with a unit. */

/** Seconds in the file, milliseconds in the program. The name of the field ends in `Ms`. */
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

const AGES = units(/^(\d{1,9})([smhd])$/i, { s: 1, m: 60, h: 60 * 60, d: 24 * 60 * 60 });

/**
 * A long time: a number with a unit.
 * @param least the minimum as it would be written, such as "1h"
 */
export function ageType(least: string): DurationType {
  const type = quantityType(
    `a time of at least ${least}: a number followed by s, m, h or d, such as 90d`,
    AGES,
    least,
  );
  return { ...type, suffix: 'Ms', use: (seconds) => seconds * 1000 };
}

const SIZES = units(/^(\d{1,12})([kmg]?)$/i, { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 });

/** A number of bytes, at least 1. */
export const sizeType = quantityType(
  'a size: a number of bytes, or a number followed by K, M or G, such as 25M',
  SIZES,
  '1',
);

/**
 * A number of bytes with a minimum.
 * @param least the minimum as it would be written, such as "256M"
 */
export function sizeFromType(least: string): OptionType<number> {
  return quantityType(
    `a size of at least ${least}: a number of bytes, or a number followed by K, M or G`,
    SIZES,
    least,
  );
}

/** Reads and writes numbers with a unit. */
interface Units {
  /** @returns NaN for an invalid text */
  read(text: string): number;
  /** Writes a quantity in the largest unit that needs no decimals. */
  write(quantity: number): string;
}

/**
 * @param pattern of a number and its unit
 * @param sizes of the units, the smallest first
 */
function units(pattern: RegExp, sizes: Readonly<Record<string, number>>): Units {
  const all = Object.entries(sizes);
  return {
    read(text) {
      const [, digits, written] = pattern.exec(text) ?? [];
      const [, size = 1] =
        all.find(([name]) => name.toLowerCase() === written?.toLowerCase()) ?? [];
      return Number(digits) * size;
    },
    write(quantity) {
      const [unit = '', size = 1] = all.findLast(([, size]) => quantity % size === 0) ?? [];
      return `${quantity / size}${unit}`;
    },
  };
}

function quantityType(expects: string, { read, write }: Units, least: string): OptionType<number> {
  const min = read(least);
  const type = scalarType(expects, (text) => {
    const value = read(text);
    return value >= min && Number.isSafeInteger(value) ? value : undefined;
  });
  return { ...type, write };
}
