import { Command } from 'commander';
import { vi } from 'vitest';

/** What a command wrote to standard output, and what it failed with. */
export interface Run {
  readonly output: string;
  /** As the command line would end with. */
  readonly exitCode: number;
  readonly error: string;
}

/**
 * Runs one command in this process, as cli.ts does.
 * @param register what adds the command to the program
 */
export async function runCommand(
  register: (program: Command) => void,
  config: string,
  ...args: string[]
): Promise<Run> {
  const program = new Command().option('--config <file>').exitOverride();
  let [output, error] = ['', ''];
  const onOutput = (chunk: unknown) => {
    output += chunk;
    return true;
  };
  const onError = (chunk: unknown) => {
    error += chunk;
    return true;
  };
  program.configureOutput({ writeErr: onError });
  register(program);
  for (const command of program.commands) command.copyInheritedSettings(program);
  const spies = [
    vi.spyOn(process.stdout, 'write').mockImplementation(onOutput),
    vi.spyOn(process.stderr, 'write').mockImplementation(onError),
  ];
  try {
    await program.parseAsync(['--config', config, ...args], { from: 'user' });
    return { output, error, exitCode: 0 };
  } catch (failure) {
    const { message, exitCode } = failure as Error & { exitCode?: number };
    if (exitCode === undefined) throw failure;
    return { output, error: error || message, exitCode };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
