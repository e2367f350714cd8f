import type { Command } from 'commander';
import type { Links } from '../service/links.ts';
import { rulingKey } from '../store/block-set.ts';
import type { Block, EditableBlockList } from '../store/store.ts';
import { chooseLinks, possibleKeys, print, WHAT, withBlocks, withLinks } from './choose-links.ts';
import { CommandFailed, exitCode } from './exit-code.ts';

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
        ? withBlocks(program, (blocks) => list(blocks, options))
        : withLinks(program, async (links) => {
            const block = await chosen(links, what, options);
            const added = await links.store.blocks.add(block);
            print(`${added ? 'blocked' : 'already blocked'}: ${rulingKey(block)}`);
          }),
    );
  program
    .command('unblock')
    .description('undo a block')
    .argument('[what]', WHAT)
    .option('--domain <name>', 'the domain that was blocked')
    .action((what: string | undefined, options: BlockOptions) =>
      withLinks(program, async (links) => {
        const block = (await listed(links, what, options)) ?? (await chosen(links, what, options));
        if (!(await links.store.blocks.remove(block))) {
          throw new CommandFailed(exitCode.dataError, `not blocked: ${rulingKey(block)}`);
        }
        print(`unblocked: ${rulingKey(block)}`);
      }),
    );
}

async function list(blockList: EditableBlockList, { json }: BlockOptions): Promise<void> {
  const blocks = await blocksIn(blockList);
  if (json) print(JSON.stringify(blocks, null, 2));
  else print(blocks.length === 0 ? 'no blocks' : blocks.map(rulingKey).join('\n'));
}

async function blocksIn(list: EditableBlockList): Promise<readonly Block[]> {
  return (await list.all()).filter((ruling) => ruling.to === undefined);
}

/** Finds a block by its text. */
async function listed(
  { store }: Links,
  what: string | undefined,
  { domain }: BlockOptions,
): Promise<Block | undefined> {
  if (what === undefined || domain !== undefined) return undefined;
  const keys = possibleKeys(what);
  return (await blocksIn(store.blocks)).find((block) => keys.includes(rulingKey(block)));
}

/** @throws CommandFailed for what cannot be blocked */
async function chosen(
  links: Links,
  what: string | undefined,
  { domain }: BlockOptions,
): Promise<Block> {
  if (what !== undefined && domain === undefined) {
    const { kind, value } = await chooseLinks(links, what);
    return { kind, value };
  }
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
