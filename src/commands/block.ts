import type { Command } from 'commander';
import { silent } from '../lib/logger.ts';
import { noMetrics } from '../lib/metrics.ts';
import { type Links, openLinks } from '../service/links.ts';
import { blockKey, browserUrl } from '../store/block-set.ts';
import { openStore } from '../store/open-store.ts';
import type { Block, EditableBlockList } from '../store/store.ts';
import { configured, whileAvailable } from './configured.ts';
import { CommandFailed, exitCode } from './exit-code.ts';
import { findLink, parseLinkArgument } from './link.ts';

interface BlockOptions {
  readonly domain?: string;
  readonly list?: true;
  readonly json?: true;
}

const WHAT = 'a tracked URL, a token, a message id, or a target URL';

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
            print(`${added ? 'blocked' : 'already blocked'}: ${blockKey(block)}`);
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
          throw new CommandFailed(exitCode.dataError, `not blocked: ${blockKey(block)}`);
        }
        print(`unblocked: ${blockKey(block)}`);
      }),
    );
}

async function withLinks(program: Command, action: (links: Links) => Promise<void>): Promise<void> {
  const links = await openLinks(configured(program), silent, noMetrics);
  try {
    await whileAvailable(() => action(links));
  } finally {
    await links.close();
  }
}

/** Opens the store alone: listing blocks needs no keys, and opening links would create them. */
async function withBlocks(
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

async function list(blockList: EditableBlockList, { json }: BlockOptions): Promise<void> {
  const blocks = await blockList.all();
  if (json) print(JSON.stringify(blocks, null, 2));
  else print(blocks.length === 0 ? 'no blocks' : blocks.map(blockKey).join('\n'));
}

/** Finds a block by its text: its link may be gone by now, or the text may be spelt by hand. */
async function listed(
  { store }: Links,
  what: string | undefined,
  { domain }: BlockOptions,
): Promise<Block | undefined> {
  if (what === undefined || domain !== undefined) return undefined;
  const argument = parseLinkArgument(what);
  const keys = [`url ${what}`, ...(argument?.kind === 'token' ? [`token ${argument.token}`] : [])];
  return (await store.blocks.all()).find((block) => keys.includes(blockKey(block)));
}

/** @throws CommandFailed for what cannot be blocked */
async function chosen(
  links: Links,
  what: string | undefined,
  { domain }: BlockOptions,
): Promise<Block> {
  if ((what === undefined) === (domain === undefined)) {
    throw new CommandFailed(exitCode.usage, `expected one of: ${WHAT}, or --domain NAME`);
  }
  if (domain !== undefined) return { kind: 'domain', value: asDomain(domain) };
  const argument = parseLinkArgument(what ?? '');
  if (argument === undefined) {
    throw new CommandFailed(exitCode.usage, `"${what}": expected ${WHAT}`);
  }
  if (argument.kind === 'message') return { kind: 'message', value: argument.messageId };
  if (argument.kind === 'url') return { kind: 'url', value: browserUrl(argument.url) };
  // A URL that looks like a tracked link may be a target.
  const resolved = await findLink(links.resolver, argument);
  if (resolved !== undefined) return { kind: 'token', value: argument.token };
  if (argument.host !== undefined) {
    process.stderr.write(
      'clickmilter: not one of our tracked links; blocking it as a target URL\n',
    );
    return { kind: 'url', value: browserUrl(what ?? '') };
  }
  throw new CommandFailed(
    exitCode.dataError,
    `"${argument.token}" not found: unknown, expired or damaged, or its tracking domain is not configured here`,
  );
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

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
