import { spawn } from 'node:child_process';
import { buffer, text } from 'node:stream/consumers';
import { builtProgram } from './built-program.ts';

export interface Finished {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs the built program to its end. */
export async function runCli(
  args: readonly string[],
  stdin: Buffer | string = '',
): Promise<Finished> {
  const child = spawn(process.execPath, [builtProgram, ...args]);
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.stdin.on('error', () => {}); // it may end without having read it
  child.stdin.end(stdin);
  const [stdout, stderr, code] = await Promise.all([
    buffer(child.stdout),
    text(child.stderr),
    ended,
  ]);
  return { code, stdout, stderr };
}
