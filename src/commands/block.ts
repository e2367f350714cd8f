import type { Command } from 'commander';
import { rulingKey } from '../store/block-set.ts';
import { type Rulings, WHAT } from '../store/rulings.ts';
import type { Block } from '../store/store.ts';
import { CommandFailed, exitCode } from './exit-code.ts';
import { print, withListedRulings, withRulings } from './with-rulings.ts';

interface BlockOptions {
  readonly domain?: string;
  readonly json?: true;
}

/**
 * `clickmilter block` and `unblock`. Blocked links answer 410 from the next request on, on every
 * host.
 */
export function blockCommand(program: Command): void {
  program
    .command('block')
    .summary('make links answer 410 Gone')
    .description(
      'make links answer 410 Gone from the next request on; without arguments, list the blocks',
    )
    .argument('[what]', WHAT)
    .option('--domain <name>', 'block all links to this domain and its subdomains')
    .option('--json', 'print the list as JSON')
    .action((what: string | undefined, options: BlockOptions) =>
      what === undefined && options.domain === undefined
        ? withListedRulings(program, (rulings) => list(rulings, options))
        : withRulings(program, async (rulings) => {
            const { block, isNew } = await rulings.block(named(what, options));
            print(`${isNew ? 'blocked' : 'already blocked'}: ${rulingKey(block)}`);
          }),
    );
  program
    .command('unblock')
    .description('undo a block')
    .argument('[what]', WHAT)
    .option('--domain <name>', 'the domain that was blocked')
    .action((what: string | undefined, options: BlockOptions) =>
      withRulings(program, async (rulings) => {
        print(`unblocked: ${rulingKey(await rulings.unblock(named(what, options)))}`);
      }),
    );
}

async function list(rulings: Rulings, { json }: BlockOptions): Promise<void> {
  const blocks = await rulings.blocks();
  if (json) print(JSON.stringify(blocks, null, 2));
  else print(blocks.length === 0 ? 'no blocks' : blocks.map(rulingKey).join('\n'));
}

/**
 * What the arguments name: a domain, or links by a text.
 * @throws CommandFailed for both or neither of them
 */
function named(what: string | undefined, { domain }: BlockOptions): string | Block {
  if (what !== undefined && domain === undefined) return what;
  if (what !== undefined || domain === undefined) {
    throw new CommandFailed(exitCode.usage, `expected one of: ${WHAT}, or --domain NAME`);
  }
  return { kind: 'domain', value: asDomain(domain) };
}

/** The form of a domain in URLs: lower case, punycode. */
function asDomain(text: string): string {
  const name = text.replace(/^\*?\./, '').replace(/\.$/, '');
  const url = `http://${name}/`;
  if (!/[/?#@:\s]/.test(name) && URL.canParse(url)) return new URL(url).hostname;
  throw new CommandFailed(
    exitCode.usage,
    `"${text}" is not a domain: expected a name like shop.example`,
  );
}
