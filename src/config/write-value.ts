import type { OptionValue } from '../scope/option-value.ts';
import type { Definition } from './option.ts';

/** Text that needs no quotes. (A comma needs them in a list.) */
const plain = /^[^\s#/"'={}[\](),]+$/;

/** Writes a value in the grammar of the configuration. */
export function writeValue(value: OptionValue, definition?: Definition): string {
  const written = definition?.type.write?.(value);
  if (written !== undefined) return written;
  if (value instanceof Map) {
    const entries = [...value].map(([name, text]) => `${quote(name)} = ${quote(text)} `);
    return `[ ${entries.join('')}]`;
  }
  if (Array.isArray(value)) return `( ${value.map((text) => `${quote(text)} `).join('')})`;
  return quote(String(value));
}

export interface Showing {
  /** Whether passwords and tokens are shown. */
  readonly secrets?: true;
}

/** The value with its secrets masked. */
export function visible(
  value: OptionValue,
  definition: Definition | undefined,
  { secrets }: Showing,
): OptionValue {
  const mask = definition?.secret;
  return mask && !secrets && typeof value === 'string' ? mask(value) : value;
}

/** Converts a value for JSON: a map becomes an object. */
export function jsonValue(value: OptionValue): unknown {
  return value instanceof Map ? Object.fromEntries(value) : value;
}

function quote(text: string): string {
  return plain.test(text) ? text : inQuotes(text);
}

export function inQuotes(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
