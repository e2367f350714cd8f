import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { stanzaLines } from '../../src/config/stanza.ts';

/*
 * Each file in cases/ is one case: a configuration, perhaps further files after lines `==> name`, then
 * a line of dashes, then what must come of it: the problems, and the configuration as it was read.
 * UPDATE_CASES=1 rewrites the expectations; read the difference before committing it.
 */
const cases = new URL('cases/', import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), 'clickmilter-cases-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a configuration is read, or its mistakes are said', () => {
  test.each(readdirSync(cases))('%s', (name) => {
    const path = join(cases, name);
    const [input = '', expected] = readFileSync(path, 'utf8').split(/^-{20,}\n/m);
    const actual = outcome(name, input);
    if (process.env['UPDATE_CASES']) writeFileSync(path, `${input}${'-'.repeat(60)}\n${actual}`);
    else expect(actual).toBe(expected);
  });
});

function outcome(name: string, input: string): string {
  const base = join(folder, name.replace('.conftest', ''));
  const [main = '', ...files] = input.split(/^==> /m);
  write(join(base, 'main.conf'), main);
  for (const file of files) {
    const end = file.indexOf('\n');
    write(join(base, file.slice(0, end)), file.slice(end + 1));
  }
  const { root, problems } = loadConfig(join(base, 'main.conf'));
  const lines = [...problems.map(formatProblem), ...stanzaLines(root, {})];
  return lines.map((line) => `${line.replaceAll(`${base}/`, '')}\n`).join('');
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
