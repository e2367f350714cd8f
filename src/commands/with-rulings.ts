import type { Command } from 'commander';
import { silent } from '../lib/logger.ts';
import { noMetrics } from '../lib/metrics.ts';
import { openLinks } from '../service/links.ts';
import { RulingRefused, Rulings } from '../store/rulings.ts';
import { configured } from './configured.ts';
import { CommandFailed, exitCode } from './exit-code.ts';
import { whileAvailable, withStore } from './with-store.ts';

/**
 * Runs an action on the rulings of the configured store.
 * @throws CommandFailed for a change that is refused
 */
export async function withRulings(
  program: Command,
  action: (rulings: Rulings) => Promise<void>,
): Promise<void> {
  const config = configured(program);
  const links = await openLinks(config, silent, noMetrics);
  const rulings = new Rulings({
    resolver: links.resolver,
    blocks: links.store.blocks,
    trackingHosts: () => config.scopes.trackingHosts,
    note: (sentence) => process.stderr.write(`clickmilter: ${sentence}\n`),
  });
  try {
    await whileAvailable(() => unlessRefused(() => action(rulings)));
  } finally {
    await links.close();
  }
}

/** Opens the store alone: listing rulings needs no keys, and opening links would create them. */
export function withListedRulings(
  program: Command,
  action: (rulings: Rulings) => Promise<void>,
): Promise<void> {
  const trackingHosts = () => new Set<string>();
  return withStore(program, silent, (store) => action(new Rulings({ ...store, trackingHosts })));
}

async function unlessRefused(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof RulingRefused)) throw error;
    const code = error.kind === 'usage' ? exitCode.usage : exitCode.dataError;
    throw new CommandFailed(code, error.message);
  }
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
