/** Exit codes of the command line, as sysexits(3) has them. */
export const exitCode = {
  ok: 0,
  usage: 64, // EX_USAGE
  dataError: 65, // EX_DATAERR
  unavailable: 69, // EX_UNAVAILABLE
  internal: 70, // EX_SOFTWARE
  configuration: 78, // EX_CONFIG
} as const;

/** Ends the command with a message for people and an exit code for scripts. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * Nothing is said where nobody reads the output any more, as with head; whatever else keeps it from being written is told
 * in one line, and by the exit code. The command goes on to its end: it may have more to do than to print.
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
  process.stderr.on('error', () => {}); // there is nobody left to tell
}
