#!/usr/bin/env node
import { CommanderError } from 'commander';
import { describeFailure, exitCode, handleOutputErrors } from './commands/exit-code.ts';
import { loadProgram } from './commands/program.ts';
import { complain } from './lib/systemd-journal.ts';

const program = await loadProgram(process.argv.slice(2));
handleOutputErrors();
try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed the error; help and version are not errors.
    process.exitCode = error.exitCode === 0 ? exitCode.ok : exitCode.usage;
  } else {
    const failure = describeFailure(error);
    complain(`clickmilter: ${failure.message}`);
    process.exitCode = failure.exitCode;
  }
}
