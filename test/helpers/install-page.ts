import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const page = readFileSync(join(import.meta.dirname, '../../docs/install.md'), 'utf8');

/** The text of the fenced blocks of a language in a section of docs/install.md; without a section, before the first. */
export function installPageBlocks(language: string, section?: string): readonly string[] {
  const sections = page.split(/^## /m);
  const text =
    section === undefined ? sections[0] : sections.find((one) => one.startsWith(`${section}\n`));
  if (text === undefined) throw new Error(`docs/install.md has no section "${section}"`);
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].flatMap(([, name, block = '']) =>
    name === language ? [block] : [],
  );
}
