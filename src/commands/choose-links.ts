import type { Command } from 'commander';
import type { Configuration } from '../config/configuration.ts';
import { silent } from '../lib/logger.ts';
import { noMetrics } from '../lib/metrics.ts';
import type { ResolvedLink } from '../link/link-store.ts';
import { type Links, openLinks } from '../service/links.ts';
import { browserUrl } from '../store/block-set.ts';
import { openStore } from '../store/open-store.ts';
import type { EditableBlockList } from '../store/store.ts';
import { configured, whileAvailable } from './configured.ts';
import { CommandFailed, exitCode } from './exit-code.ts';
import { findLink, parseLinkArgument } from './link.ts';

/** The links that an argument of `block` or `retarget` names. */
export interface ChosenLinks {
  readonly kind: 'token' | 'message' | 'url';
  readonly value: string;
  /** The link of a token. */
  readonly resolved?: ResolvedLink;
}

export const WHAT = 'a tracked URL, a token, a message id, or a target URL';

/**
 * Finds the links that an argument names. A URL that looks like a tracked link may be a target.
 * @throws CommandFailed for text that names none
 */
export async function chooseLinks(links: Links, what: string): Promise<ChosenLinks> {
  const argument = parseLinkArgument(what);
  if (argument === undefined) {
    throw new CommandFailed(exitCode.usage, `"${what}": expected ${WHAT}`);
  }
  if (argument.kind === 'message') return { kind: 'message', value: argument.messageId };
  if (argument.kind === 'url') return { kind: 'url', value: browserUrl(argument.url) };
  const resolved = await findLink(links.resolver, argument);
  if (resolved !== undefined) return { kind: 'token', value: argument.token, resolved };
  if (argument.host !== undefined) {
    process.stderr.write('clickmilter: not one of our tracked links; taking it as a target URL\n');
    return { kind: 'url', value: browserUrl(what) };
  }
  throw new CommandFailed(
    exitCode.dataError,
    `"${argument.token}" not found: unknown, expired or damaged, or its tracking domain is not configured here`,
  );
}

/**
 * The keys of the rulings that an argument may name by its text alone: its link may be gone by now,
 * or the text may be spelt by hand.
 */
export function possibleKeys(what: string): readonly string[] {
  const argument = parseLinkArgument(what);
  return [
    ...(argument?.kind === 'token' ? [`token ${argument.token}`] : []),
    ...(argument?.kind === 'message' ? [`message ${argument.messageId}`] : []),
    `url ${what}`,
    `url ${browserUrl(what)}`,
  ];
}

export async function withLinks(
  program: Command,
  action: (links: Links, config: Configuration) => Promise<void>,
): Promise<void> {
  const config = configured(program);
  const links = await openLinks(config, silent, noMetrics);
  try {
    await whileAvailable(() => action(links, config));
  } finally {
    await links.close();
  }
}

/** Opens the store alone: listing rulings needs no keys, and opening links would create them. */
export async function withBlocks(
  program: Command,
  action: (list: EditableBlockList) => Promise<void>,
): Promise<void> {
  const store = await openStore(configured(program), silent, noMetrics);
  try {
    await whileAvailable(() => action(store.blocks));
  } finally {
    await store.close();
  }
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
