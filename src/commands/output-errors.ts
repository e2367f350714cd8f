import { exitCode } from './exit-code.ts';

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
