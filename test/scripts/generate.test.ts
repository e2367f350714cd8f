import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { shells } from '../../scripts/completions.ts';
import { committedFiles } from '../../scripts/generate.ts';
import { loadProgram } from '../../src/commands/program.ts';
import { stanzas } from '../../src/config/stanzas.ts';

const committed = committedFiles();

test.each([...committed])('%s is up to date (else: npm run generate)', (path, text) => {
  expect(readFileSync(join(import.meta.dirname, '../..', path), 'utf8')).toBe(text);
});

test('the documentation has every stanza and option', () => {
  const page = committed.get('docs/configuration.md') ?? '';
  const headings = [...page.matchAll(/^###? (.*)$/gm)].map(([, heading]) => heading);
  for (const { options } of stanzas)
    expect(headings).toEqual(expect.arrayContaining(Object.keys(options)));
});

const options = [...committed].filter(([path]) =>
  /clickmilter\.conf$|configuration\.md$/.test(path),
);

test.each(options)('no line of %s is longer than 100 columns', (path, text) => {
  const long = text.split('\n').filter((line) => line.length > 100 && !line.includes('ACL'));
  expect({ path, long }).toEqual({ path, long: [] });
});

describe.each(Object.entries(shells))('the completions of %s', (_, script) => {
  test('know every command and long option', async () => {
    const program = await loadProgram();
    const text = script(program);
    const commands = program.commands.flatMap((command) => [command, ...command.commands]);
    for (const command of commands) {
      expect(text).toContain(command.name());
      for (const { long } of command.options) expect(text).toContain(long?.replace(/^--/, ''));
    }
  });
});
