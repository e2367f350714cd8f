#!/usr/bin/env node
import { CommanderError } from 'commander';
import { CommandFailed, exitCode, handleOutputErrors } from './commands/exit-code.ts';
import { loadProgram } from './commands/program.ts';
import { printable } from './lib/printable.ts';
import { complain } from './lib/systemd-journal.ts';

const program = await loadProgram(process.argv.slice(2));
handleOutputErrors();
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed the error; help and version are not errors.
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
