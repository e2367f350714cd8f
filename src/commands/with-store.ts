import type { Command } from 'commander';
import { type Fields, type Logger, silent } from '../lib/logger.ts';
import { noMetrics } from '../lib/metrics.ts';
import { StoreUnavailable } from '../link/link-store.ts';
import { openStore } from '../store/open-store.ts';
import type { Store } from '../store/store.ts';
import { configured } from './configured.ts';
import { CommandFailed, exitCode } from './exit-code.ts';

/**
 * Runs an action on the configured store. Errors that did not end it, such as an invalid line of a
 * file, are printed after it.
 * @param logger takes the warnings of the store
 * @throws CommandFailed if the configuration has errors (78) or the store is unavailable (69)
 */
export async function withStore(
  program: Command,
  logger: Logger,
  action: (store: Store) => Promise<void>,
): Promise<void> {
  const kept = new KeptErrors(logger);
  const store = await openStore(configured(program), kept.logger, noMetrics);
  try {
    await whileAvailable(() => action(store));
    for (const error of kept.errors) process.stderr.write(`clickmilter: ${error}\n`);
  } finally {
    await store.close();
  }
}

/** Keeps the errors that a store logs and goes on after. */
export class KeptErrors {
  readonly errors: string[] = [];
  readonly logger: Logger;

  /** @param logger takes all other lines */
  constructor(logger: Logger) {
    const error = (first: Fields | string, message = '') => {
      const { place } = Object(first) as { readonly place?: unknown };
      const text = typeof first === 'string' ? first : message;
      this.errors.push(place === undefined ? text : `${place}: ${text}`);
    };
    this.logger = { ...logger, error };
  }
}

/**
 * Runs an action that needs the store.
 * @throws CommandFailed (69) if the store is unavailable
 */
export async function whileAvailable<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof StoreUnavailable)) throw error;
    throw new CommandFailed(exitCode.unavailable, error.message);
  }
}

/**
 * Prints the warnings of the store, such as a skipped file, for commands that continue. An error
 * ends the command, which prints it.
 */
export const stderrLogger: Logger = {
  ...silent,
  warn(first: Fields | string, message?: string) {
    const [fields, text] = typeof first === 'string' ? [{}, first] : [first, message];
    process.stderr.write(`clickmilter: ${[text, ...Object.values(fields)].join(': ')}\n`);
  },
};
