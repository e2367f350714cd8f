import { hostname, userInfo } from 'node:os';
import type { Command } from 'commander';
import { printable, printableJson } from '../lib/printable.ts';
import { type Rulings, WHAT } from '../store/rulings.ts';
import { CommandFailed, exitCode } from './exit-code.ts';
import { print, withListedRulings, withRulings } from './with-rulings.ts';

interface Options {
  readonly everywhere?: true;
  readonly why?: string;
  readonly undo?: true;
  readonly list?: true;
  readonly json?: true;
}

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
      if (what === undefined) return withListedRulings(program, (all) => showAll(all, options));
      return withRulings(program, (rulings) =>
        to === undefined ? undo(rulings, what, options) : retarget(rulings, what, to, options),
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
  return to === undefined ? 'expected the new URL, or --undo' : undefined;
}

async function retarget(
  rulings: Rulings,
  what: string,
  to: string,
  { everywhere, why }: Options,
): Promise<void> {
  const { ruling, before } = await rulings.retarget({
    what,
    to,
    everywhere,
    why,
    by: operator(),
  });
  const instead = before === undefined ? '' : `, no longer to ${before.to}`;
  print(`retargeted: ${ruling.kind} ${ruling.value} leads to ${ruling.to}${instead}`);
}

async function undo(rulings: Rulings, what: string, { everywhere }: Options): Promise<void> {
  const { kind, value } = await rulings.undoRetarget(what, everywhere);
  print(`no longer retargeted: ${kind} ${value}`);
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

async function showAll(rulings: Rulings, { json }: Options): Promise<void> {
  const retargets = await rulings.retargets();
  if (json) return print(printableJson(JSON.stringify(retargets, null, 2)));
  const lines = retargets.map(({ kind, value, to, by, since, why }) =>
    printable(`${kind} ${value} leads to ${to} (${since}, ${by}${why ? `: ${why}` : ''})`),
  );
  print(lines.length === 0 ? 'no retargets' : lines.join('\n'));
}
