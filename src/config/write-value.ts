import type { OptionValue } from '../scope/option-value.ts';
import type { Definition } from './option.ts';

/** What needs no quotes wherever it stands; in an array, a comma does. */
const plain = /^[^\s#/"'={}[\](),]+$/;

/** A value in the grammar of the configuration. */
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
  /** Passwords and tokens as they are. */
  readonly secrets?: true;
}

/** What may be shown of a value. */
export function visible(
  value: OptionValue,
  definition: Definition | undefined,
  { secrets }: Showing,
): OptionValue {
  const mask = definition?.secret;
  return mask && !secrets && typeof value === 'string' ? mask(value) : value;
}

/** A value for JSON: a map becomes an object. */
export function jsonValue(value: OptionValue): unknown {
  return value instanceof Map ? Object.fromEntries(value) : value;
}

function quote(text: string): string {
  return plain.test(text) ? text : inQuotes(text);
}

export function inQuotes(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
