import type { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import { exitCode } from './exit-code.ts';
import { machineProblems } from './machine-problems.ts';
import { storeProblems } from './store-problems.ts';

/** `clickmilter check`: every problem of the configuration; exit code 78 where one is an error. */
export function checkCommand(program: Command): void {
  program
    .command('check')
    .summary('say everything that is wrong with the configuration')
    .description('check the configuration and say everything that is wrong with it')
    .option('--json', 'the problems as a JSON array')
    .action(async (options: { json?: true }) => {
      const { config: file } = program.opts<{ config: string }>();
      const { config, root, problems: inFile } = loadConfig(file);
      const problems = config
        ? [...inFile, ...machineProblems(root), ...(await storeProblems(config, root))]
        : inFile;
      if (options.json) {
        process.stdout.write(`${JSON.stringify(problems, null, 2)}\n`);
      } else {
        for (const problem of problems) process.stdout.write(`${formatProblem(problem)}\n`);
        process.stdout.write(`${file}: ${summary(problems)}\n`);
      }
      process.exitCode = config ? exitCode.ok : exitCode.configuration;
    });
}

function summary(problems: ReturnType<typeof loadConfig>['problems']): string {
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  const counts = [
    [errors, 'error'],
    [problems.length - errors, 'warning'],
  ] as const;
  const said = counts
    .filter(([count]) => count > 0)
    .map(([count, kind]) => `${count} ${kind}${count === 1 ? '' : 's'}`);
  return said.join(', ') || 'no problems';
}
