import { printable } from '../lib/printable.ts';

/**
 * CSV as RFC 4180 has it.
 * @param names the columns: the names of values in JSON
 */
export function csvOf(
  names: readonly string[],
  rows: readonly Readonly<Record<string, unknown>>[],
): string {
  const lines = rows.map((row) => names.map((name) => csvValue(row[name])));
  return [names, ...lines].map((line) => `${line.join(',')}\r\n`).join('');
}

function csvValue(value: unknown): string {
  if (value === undefined || value === null) return '';
  return csvText(Array.isArray(value) ? value.join(' ') : String(value));
}

/**
 * Foreign text: without control characters, and nothing that a spreadsheet takes for a formula. A
 * spreadsheet may split cells at a semicolon too, or take full-width signs for plain ones.
 */
function csvText(text: string): string {
  const plain = printable(text).replace(/^\s*[=+@\-\uff1d\uff0b\uff20\uff0d]/, "'$&");
  return /[",;]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}
