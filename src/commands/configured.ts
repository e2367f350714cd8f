import type { Command } from 'commander';
import type { Configuration } from '../config/configuration.ts';
import { type Loaded, loadConfig } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import { complain } from '../lib/systemd-journal.ts';
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
