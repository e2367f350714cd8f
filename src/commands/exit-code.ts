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
