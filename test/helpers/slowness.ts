import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** Milliseconds that a start of Node alone takes on a machine that is neither old nor busy; usually it takes 40. */
const USUAL_MS = 150;

/**
 * How many times slower than usual this machine is at the moment, at least 1: what a start of Node alone takes. By it a
 * test multiplies a time that is promised for a machine which is not busy.
 */
export async function slowness(): Promise<number> {
  const begun = performance.now();
  await once(spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' }), 'exit');
  return Math.max(1, (performance.now() - begun) / USUAL_MS);
}
