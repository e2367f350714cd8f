import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Configuration } from '../../src/config/configuration.ts';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';

/** The configuration a text stands for. @throws Error with its problems, where there are errors */
export function configurationOf(text: string): Configuration {
  const folder = mkdtempSync(join(tmpdir(), 'clickmilter-conf-'));
  try {
    const file = join(folder, 'clickmilter.conf');
    writeFileSync(file, text);
    const { config, problems } = loadConfig(file);
    if (config === undefined) throw new Error(problems.map(formatProblem).join('\n'));
    return config;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
