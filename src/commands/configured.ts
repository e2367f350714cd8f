import type { Command } from 'commander';
import type { Configuration } from '../config/configuration.ts';
import { loadConfig } from '../config/load.ts';
import { formatProblem } from '../config/problem.ts';
import type { Stanza } from '../config/stanza.ts';
import { CommandFailed, exitCode } from './exit-code.ts';

/**
 * The configuration that `--config` names; its problems go to stderr.
 * @throws CommandFailed (78) where there are errors
 */
export function configured(program: Command): Configuration {
  return configuredStanzas(program).config;
}

/** The same with the stanzas it was made of. */
export function configuredStanzas(program: Command): { config: Configuration; root: Stanza } {
  const { config: file } = program.opts<{ config: string }>();
  const { config, root, problems } = loadConfig(file);
  for (const problem of problems) process.stderr.write(`${formatProblem(problem)}\n`);
  if (config === undefined) {
    const errors = problems.filter(({ severity }) => severity === 'error').length;
    throw new CommandFailed(
      exitCode.configuration,
      `${file}: ${errors} ${errors === 1 ? 'error' : 'errors'}, not started`,
    );
  }
  return { config, root };
}
