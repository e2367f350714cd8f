import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { requireProgram } from '../../helpers/peer-process.ts';

/** Compiles a milter of this folder against the installed libmilter; returns the path of the program. */
export function buildOracle(source: string, folder: string): string {
  if (!existsSync('/usr/include/libmilter/mfapi.h')) {
    throw new Error(
      'libmilter is missing: run "sh test/install-peers.sh", or install Debian\'s package libmilter-dev',
    );
  }
  const program = join(folder, source.replace(/\.c$/, ''));
  const gcc = requireProgram('gcc', 'gcc');
  const file = join(import.meta.dirname, source);
  execFileSync(gcc, ['-O2', '-Wall', '-o', program, file, '-lmilter', '-lpthread']);
  return program;
}
