import { hostname, userInfo } from 'node:os';
import type { Command } from 'commander';
import type { Configuration } from '../config/configuration.ts';
import { printable, printableJson } from '../lib/printable.ts';
import { isPrintableAscii } from '../lib/text.ts';
import type { ResolvedLink } from '../link/link-store.ts';
import { MAX_TARGET } from '../link/message-record.ts';
import { leadsBack } from '../redirect/destination.ts';
import type { Links } from '../service/links.ts';
import { browserUrl, isDestination, rulingKey } from '../store/block-set.ts';
import type { EditableBlockList, Retarget } from '../store/store.ts';
import {
  type ChosenLinks,
  chooseLinks,
  possibleKeys,
  print,
  WHAT,
  withBlocks,
  withLinks,
} from './choose-links.ts';
import { CommandFailed, exitCode } from './exit-code.ts';

interface Options {
  readonly everywhere?: true;
  readonly why?: string;
  readonly undo?: true;
  readonly list?: true;
  readonly json?: true;
}

/** Retargets that the list may have: every process of the redirect endpoint keeps a copy. */
const MAX_RETARGETS = 10_000;
/** Characters of the longest reason. */
const MAX_WHY = 500;

/** `clickmilter retarget` lets links lead elsewhere from the next request on, on every host. */
export function retargetCommand(program: Command): void {
  program
    .command('retarget')
    .summary('let links lead elsewhere')
    .description(
      'let links lead to another URL from the next request on; events have the old target and the ' +
        'new one, and blocked links stay blocked. Without arguments, list the retargets',
    )
    .argument('[what]', WHAT)
    .argument('[new]', 'the URL to lead to')
    .option('--everywhere', 'all links to the same target, in all messages')
    .option('--why <text>', 'the reason, which "link" and the list show')
    .option('--undo', 'let the links lead to their own targets again')
    .option('--list', 'list the retargets')
    .option('--json', 'print the list as JSON')
    .action((what: string | undefined, to: string | undefined, options: Options) => {
      const wrong = mistakeIn(what, to, options);
      if (wrong !== undefined) throw new CommandFailed(exitCode.usage, wrong);
      if (what === undefined) return withBlocks(program, (list) => showAll(list, options));
      return withLinks(program, (links, config) =>
        to === undefined ? undo(links, what, options) : retarget(links, config, what, to, options),
      );
    });
}

/** What is wrong with the arguments, if anything. */
function mistakeIn(
  what: string | undefined,
  to: string | undefined,
  { everywhere, why, undo, list }: Options,
): string | undefined {
  if (what === undefined) {
    return undo || everywhere || why !== undefined ? `expected ${WHAT}` : undefined;
  }
  if (list) return 'expected --list alone';
  if (undo) return to === undefined ? undefined : 'expected either --undo or a new URL';
  if (to === undefined) return 'expected the new URL, or --undo';
  return (why?.length ?? 0) > MAX_WHY ? `--why: expected at most ${MAX_WHY} characters` : undefined;
}

async function retarget(
  links: Links,
  config: Configuration,
  what: string,
  text: string,
  options: Options,
): Promise<void> {
  const { kind, value, resolved } = await chosen(links, what, options);
  const to = asDestination(text, config, resolved);
  const { blocks } = links.store;
  const retargets = await retargetsIn(blocks);
  const since = new Date().toISOString();
  const ruling: Retarget = { kind, value, to, by: operator(), since, why: options.why };
  const before = retargets.find((one) => rulingKey(one) === rulingKey(ruling));
  if (before === undefined && retargets.length >= MAX_RETARGETS) {
    throw new CommandFailed(
      exitCode.dataError,
      `there are ${retargets.length} retargets already: undo some of them (--list, --undo)`,
    );
  }
  await blocks.add(ruling);
  const instead = before === undefined ? '' : `, no longer to ${before.to}`;
  print(`retargeted: ${kind} ${value} leads to ${to}${instead}`);
}

async function undo(links: Links, what: string, options: Options): Promise<void> {
  const { blocks } = links.store;
  const retargets = await retargetsIn(blocks);
  const named = (keys: readonly string[]) =>
    retargets.find(({ kind, value }) => keys.includes(`${kind} ${value}`));
  let found = options.everywhere ? undefined : named(possibleKeys(what));
  if (found === undefined) {
    const { kind, value } = await chosen(links, what, options);
    found = named([`${kind} ${value}`]);
    if (found === undefined) {
      throw new CommandFailed(exitCode.dataError, `not retargeted: ${kind} ${value}`);
    }
  }
  await blocks.remove(found);
  print(`no longer retargeted: ${found.kind} ${found.value}`);
}

/** @throws CommandFailed for links that cannot be retargeted */
async function chosen(
  links: Links,
  what: string,
  { everywhere }: Options,
): Promise<ChosenLinks & Pick<Retarget, 'kind'>> {
  const found = await chooseLinks(links, what);
  if (found.kind === 'url' && !everywhere) {
    throw new CommandFailed(
      exitCode.usage,
      `"${what}" is a target: add --everywhere to mean all links that lead there`,
    );
  }
  if (found.kind === 'message' && everywhere) {
    throw new CommandFailed(
      exitCode.usage,
      `"${what}" is a message: --everywhere expects a link or a target`,
    );
  }
  const { resolved } = found;
  return everywhere && resolved !== undefined
    ? { kind: 'url', value: browserUrl(resolved.link.target), resolved }
    : found;
}

/** @throws CommandFailed for what readers cannot be sent to */
function asDestination(
  text: string,
  { scopes }: Configuration,
  resolved: ResolvedLink | undefined,
): string {
  const to = isPrintableAscii(text) ? text : browserUrl(text);
  if (/\p{Cc}/u.test(text) || !isDestination(to)) {
    throw new CommandFailed(
      exitCode.usage,
      `"${text}": expected an http or https URL of at most ${MAX_TARGET} characters`,
    );
  }
  if (leadsBack(to, scopes.trackingHosts, resolved)) {
    throw new CommandFailed(
      exitCode.usage,
      `"${text}" leads to a tracking domain: expected the page that readers are to see`,
    );
  }
  return to;
}

/** Who runs this command, and where. */
function operator(): string {
  const { SUDO_USER } = process.env;
  let name = `uid ${process.getuid?.()}`;
  try {
    name = userInfo().username;
  } catch {
    // A container may run under an id that has no name.
  }
  return `${SUDO_USER || name}@${hostname()}`.slice(0, 200);
}

async function showAll(list: EditableBlockList, { json }: Options): Promise<void> {
  const retargets = await retargetsIn(list);
  if (json) return print(printableJson(JSON.stringify(retargets, null, 2)));
  const lines = retargets.map(({ kind, value, to, by, since, why }) =>
    printable(`${kind} ${value} leads to ${to} (${since}, ${by}${why ? `: ${why}` : ''})`),
  );
  print(lines.length === 0 ? 'no retargets' : lines.join('\n'));
}

async function retargetsIn(list: EditableBlockList): Promise<readonly Retarget[]> {
  return (await list.all()).filter((ruling) => ruling.to !== undefined);
}
