import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { type Cost, expectGrowthWithBytes } from './growth.ts';

const run = promisify(execFile);

/**
 * Expects that time, memory and output of a product grow with the bytes where both of its factors are four times as
 * large; their product is then sixteen times as large.
 * @param table a file of this folder that exports `products`
 */
export async function expectLinear(table: string, name: string): Promise<void> {
  const script = new URL('measure.ts', import.meta.url).pathname;
  // A small young generation: garbage is not to look like memory that is needed.
  const args = ['--max-semi-space-size=1', '--import', 'tsx', script, table, name];
  const names = ['milliseconds', 'memory', 'output'] as const;
  const measured = await expectGrowthWithBytes<Measured>(names, async (attempt) => {
    // The compiler may work for the large load alone; of several rounds, the least is without it.
    const rounds = String(2 * attempt - 1);
    const { stdout } = await run(process.execPath, [...args, rounds, '10000', '40000']);
    return JSON.parse(stdout) as [Measured, Measured];
  });
  for (const { output, maxOutput } of measured) {
    if (maxOutput !== undefined) expect(output).toBeLessThanOrEqual(maxOutput);
  }
}

type Measured = Cost & { readonly memory: number };
