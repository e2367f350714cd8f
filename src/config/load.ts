import type { Configuration } from './configuration.ts';
import type { Problem } from './problem.ts';

/**
 * Reads and checks a configuration file and what it includes.
 * @returns every problem in order of file and line; no configuration where one of them is an error
 */
export function loadConfig(_file: string): {
  readonly config?: Configuration;
  readonly problems: readonly Problem[];
} {
  throw new Error('not yet');
}
