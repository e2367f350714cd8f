import { Command, CommanderError } from 'commander';
import { vi } from 'vitest';
import { describeFailure } from '../../src/commands/exit-code.ts';

export interface CommandOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a command inside of the test process, which is many times faster than starting the program.
 * @param register what the command's file exports
 */
export async function runCommand(
  register: (program: Command) => void,
  args: readonly string[],
): Promise<CommandOutcome> {
  let stdout = '';
  let stderr = '';
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      stdout += text;
      return true;
    }),
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      stderr += text;
      return true;
    }),
  ];
  const program = new Command().option('-c, --config <file>').exitOverride();
  process.exitCode = 0;
  try {
    register(program);
    await program.parseAsync(args, { from: 'user' });
    return { code: process.exitCode, stdout, stderr };
  } catch (error) {
    if (error instanceof CommanderError) throw error;
    const { exitCode, message } = describeFailure(error);
    return { code: exitCode, stdout, stderr: `${stderr}clickmilter: ${message}\n` };
  } finally {
    process.exitCode = undefined;
    for (const spy of spies) spy.mockRestore();
  }
}
