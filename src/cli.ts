#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { CommandFailed, exitCode } from './commands/exit-code.ts';
import { runCommand } from './commands/run.ts';

const { version } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { version: string };

const program = new Command('clickmilter')
  .description('Click tracking for Postfix and Sendmail')
  .version(version)
  .option('-c, --config <file>', 'configuration file', '/etc/clickmilter/clickmilter.conf')
  .showHelpAfterError('(see clickmilter --help)')
  .exitOverride();

for (const register of [runCommand]) register(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has said what was wrong; help and version are no error.
    process.exitCode = error.exitCode === 0 ? exitCode.ok : exitCode.usage;
  } else if (error instanceof CommandFailed) {
    process.stderr.write(`clickmilter: ${error.message}\n`);
    process.exitCode = error.exitCode;
  } else {
    throw error;
  }
}
