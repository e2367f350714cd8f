import type { Command } from 'commander';
import type { Configuration } from '../config/configuration.ts';
import { type Loaded, loadConfig } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import { type Fields, type Logger, silent } from '../lib/logger.ts';
import { complain } from '../lib/systemd-journal.ts';
import { StoreUnavailable } from '../link/link-store.ts';
import { CommandFailed, exitCode } from './exit-code.ts';

/**
 * Loads the configuration that `--config` names, and prints its problems on stderr.
 * @throws CommandFailed (78) if there are errors
 */
export function configured(program: Command): Configuration {
  return configuredFully(program).config;
}

/**
 * Loads the configuration that `--config` names, with its stanzas, and prints its problems on
 * stderr.
 * @throws CommandFailed (78) if there are errors
 */
export function configuredFully(program: Command): Loaded & { readonly config: Configuration } {
  const { config: file } = program.opts<{ config: string }>();
  const { config, problems, ...loaded } = loadConfig(file);
  for (const problem of problems) complain(formatProblem(problem), problem.severity);
  if (config === undefined) {
    const errors = problems.filter(({ severity }) => severity === 'error').length;
    throw new CommandFailed(
      exitCode.configuration,
      `${file}: ${errors} ${errors === 1 ? 'error' : 'errors'}, not started`,
    );
  }
  return { ...loaded, config, problems };
}

/**
 * Runs an action that needs the store.
 * @throws CommandFailed (69) if the store is unavailable
 */
export async function whileAvailable<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    throw new CommandFailed(exitCode.unavailable, error.message);
  }
}

/**
 * Prints the warnings of the store, such as a skipped file, for commands that continue. An error
 * ends the command, which prints it.
 */
export const stderrLogger: Logger = {
  ...silent,
  warn(first: Fields | string, message?: string) {
    const [fields, text] = typeof first === 'string' ? [{}, first] : [first, message];
    process.stderr.write(`clickmilter: ${[text, ...Object.values(fields)].join(': ')}\n`);
  },
};
