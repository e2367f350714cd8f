import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { writeValue } from '../../src/config/write-value.ts';
import type { Facts } from '../../src/scope/facts.ts';

/*
 * Each file in cases/ is one configuration; after a line of dashes come the cases, one a line:
 *   facts | option | value | the text of the line that decided, or `default`
 * Facts are NAME=VALUE. The line that decides is told by the end of its text, so that cases stay
 * readable: `# 3` is the line with that comment.
 */
const folder = mkdtempSync(join(tmpdir(), 'clickmilter-scopes-'));
afterAll(() => rmSync(folder, { recursive: true }));
const cases = new URL('cases/', import.meta.url).pathname;

let count = 0;
for (const name of readdirSync(cases)) {
  const [text = '', table = ''] = readFileSync(join(cases, name), 'utf8').split(/^-{20,}\n/m);
  const file = join(folder, name);
  writeFileSync(file, text);
  const lines = text.split('\n');
  const { config, problems } = loadConfig(file);

  describe(name, () => {
    test('loads', () =>
      expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]));

    const rows = table.split('\n').filter((row) => row.trim() !== '' && !row.startsWith('#'));
    count += rows.length;
    test.each(rows)('%s', (row) => {
      const [given = '', option = '', value, decided = ''] = row.split('|').map((s) => s.trim());
      const match = config?.scopes.match(factsOf(given));
      const found = match?.get(option);
      expect(found && writeValue(found.value)).toBe(value);
      const { origin } = found ?? {};
      if (origin === 'default' || origin === undefined) expect(decided).toBe('default');
      else expect(lines[origin.line - 1]).toMatch(new RegExp(`# ${decided}$`));
      const possible = config?.scopes.possibleSettings(match?.pathway).get(option);
      expect(possible).toContainEqual(found);
      // A second time, from memory.
      expect(config?.scopes.match(factsOf(given))).toBe(match);
    });
  });
}

test('the table has at least 80 cases', () => expect(count).toBeGreaterThanOrEqual(80));

function factsOf(given: string): Facts {
  const pairs = given
    .split(/\s+/)
    .filter(Boolean)
    .map((pair) => {
      const equals = pair.indexOf('=');
      return [pair.slice(0, equals), pair.slice(equals + 1)];
    });
  return Object.fromEntries(pairs);
}
