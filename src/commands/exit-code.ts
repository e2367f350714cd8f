/** Exit codes of the command line, as in sysexits(3). */
export const exitCode = {
  ok: 0,
  usage: 64, // EX_USAGE
  dataError: 65, // EX_DATAERR
  unavailable: 69, // EX_UNAVAILABLE
  internal: 70, // EX_SOFTWARE
  configuration: 78, // EX_CONFIG
} as const;

/** Ends the command with a message and an exit code. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * Handles output that cannot be written. A closed pipe, as with head, is ignored; any other error is printed once and
 * sets the exit code. The command continues, as it may have more to do than to print.
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
