#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { blockCommand } from './commands/block.ts';
import { checkCommand } from './commands/check.ts';
import { completionCommand } from './commands/completion.ts';
import { configCommand } from './commands/config.ts';
import { demoCommand } from './commands/demo.ts';
import { doctorCommand } from './commands/doctor.ts';
import { eventsCommand } from './commands/events.ts';
import { CommandFailed, exitCode } from './commands/exit-code.ts';
import { explainCommand } from './commands/explain.ts';
import { forgetCommand } from './commands/forget.ts';
import { keygenCommand } from './commands/keygen.ts';
import { linkCommand } from './commands/link.ts';
import { manualCommand } from './commands/manual.ts';
import { handleOutputErrors } from './commands/output-errors.ts';
import { reportCommand } from './commands/report.ts';
import { rewriteCommand } from './commands/rewrite.ts';
import { runCommand } from './commands/run.ts';
import { complain } from './lib/systemd-journal.ts';
import { version } from './version.ts';

const program = new Command('clickmilter')
  .description('Click tracking for Postfix and Sendmail')
  .version(version)
  .option('-c, --config <file>', 'settings', '/etc/clickmilter/clickmilter.conf')
  // A line a command, so that all of it fits a screen.
  .configureHelp({ subcommandTerm: (command) => command.name() })
  .helpCommand(false) // COMMAND --help does it
  .showHelpAfterError('(see clickmilter --help)')
  .exitOverride();

for (const register of [
  runCommand,
  checkCommand,
  configCommand,
  explainCommand,
  rewriteCommand,
  eventsCommand,
  reportCommand,
  linkCommand,
  blockCommand,
  forgetCommand,
  keygenCommand,
  doctorCommand,
  demoCommand,
  completionCommand,
  manualCommand,
]) {
  register(program);
}

handleOutputErrors();
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has said what was wrong; help and version are no error.
    process.exitCode = error.exitCode === 0 ? exitCode.ok : exitCode.usage;
  } else if (error instanceof CommandFailed) {
    complain(`clickmilter: ${error.message}`);
    process.exitCode = error.exitCode;
  } else {
    throw error;
  }
}
