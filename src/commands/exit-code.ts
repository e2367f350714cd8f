import { codeOf, UnusableFile } from '../lib/files.ts';
import { printable } from '../lib/printable.ts';

/** Exit codes of the command line, as in sysexits(3). */
export const exitCode = {
  ok: 0,
  usage: 64, // EX_USAGE
  dataError: 65, // EX_DATAERR
  unavailable: 69, // EX_UNAVAILABLE
  internal: 70, // EX_SOFTWARE
  configuration: 78, // EX_CONFIG
} as const;

/** The remedy for files that the user of a command may not read. */
export const RUN_AS = 'run this as root, or as the user of the service';

/** Ends the command with a message and an exit code. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The message and the exit code for an error that has ended a command. */
export function describeFailure(error: unknown): CommandFailed {
  if (error instanceof CommandFailed) return error;
  const { unavailable, internal } = exitCode;
  if (error instanceof UnusableFile) return new CommandFailed(unavailable, error.message);
  if (!(error instanceof Error)) {
    return new CommandFailed(internal, `internal error: ${printable(String(error))}`);
  }
  if (!('syscall' in error)) {
    const reason = printable(`${error.name}: ${error.message}`);
    return new CommandFailed(internal, `internal error: ${reason}`);
  }
  const refused = ['EACCES', 'EPERM'].includes(String(codeOf(error)));
  const remedy = refused ? `: ${RUN_AS}` : '';
  return new CommandFailed(unavailable, `${printable(error.message)}${remedy}`);
}

/**
 * Handles output that cannot be written. A closed pipe, as with head, is ignored; any other error
 * is printed once and sets the exit code. The command continues, as it may have more to do than to
 * print.
 */
export function handleOutputErrors(): void {
  let failed = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (failed || error.code === 'EPIPE') return;
    failed = true;
    process.stderr.write(`clickmilter: cannot write the output: ${error.message}\n`);
    process.once('exit', () => {
      process.exitCode = exitCode.unavailable;
    });
  });
  process.stderr.on('error', () => {}); // no place is left to report it
}
