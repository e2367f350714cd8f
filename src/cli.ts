#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { CommandFailed, exitCode, handleOutputErrors } from './commands/exit-code.ts';
import { printable } from './lib/printable.ts';
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

const commands = {
  run: async () => (await import('./commands/run.ts')).runCommand,
  check: async () => (await import('./commands/check.ts')).checkCommand,
  config: async () => (await import('./commands/config.ts')).configCommand,
  explain: async () => (await import('./commands/explain.ts')).explainCommand,
  rewrite: async () => (await import('./commands/rewrite.ts')).rewriteCommand,
  events: async () => (await import('./commands/events.ts')).eventsCommand,
  report: async () => (await import('./commands/report.ts')).reportCommand,
  link: async () => (await import('./commands/link.ts')).linkCommand,
  block: async () => (await import('./commands/block.ts')).blockCommand,
  forget: async () => (await import('./commands/forget.ts')).forgetCommand,
  keygen: async () => (await import('./commands/keygen.ts')).keygenCommand,
  doctor: async () => (await import('./commands/doctor.ts')).doctorCommand,
  demo: async () => (await import('./commands/demo.ts')).demoCommand,
  completion: async () => (await import('./commands/completion.ts')).completionCommand,
  manual: async () => (await import('./commands/manual.ts')).manualCommand,
};

// Only the command that is asked for is loaded, since a service that starts listens the earlier. Help, completion and
// the manual show them all.
const asked = commandName(process.argv.slice(2));
const alone = asked !== undefined && asked !== 'completion' && asked !== 'manual' ? [asked] : [];
const named = alone.length > 0 ? alone : (Object.keys(commands) as (keyof typeof commands)[]);
for (const name of named) (await commands[name]())(program);

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
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : error;
    complain(`clickmilter: internal error: ${printable(String(reason))}`);
    process.exitCode = exitCode.internal;
  }
}

/** The command of these arguments, where it is one of ours. */
function commandName(args: readonly string[]): keyof typeof commands | undefined {
  let at = 0;
  while (args[at]?.startsWith('-')) at += args[at] === '-c' || args[at] === '--config' ? 2 : 1;
  const name = args[at] ?? '';
  return Object.hasOwn(commands, name) ? (name as keyof typeof commands) : undefined;
}
