import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { OPT_OUT_DIGEST, optOutDigest } from '../store/opt-outs.ts';
import type { EditableOptOuts } from '../store/store.ts';
import { CommandFailed, exitCode } from './exit-code.ts';
import { stderrLogger, withStore } from './with-store.ts';

interface OptOutOptions {
  readonly undo?: true;
  readonly list?: true;
}

/** `clickmilter optout`: recipients who do not want to be tracked. */
export function optOutCommand(program: Command): void {
  program
    .command('optout')
    .summary('leave mail to a recipient untracked for good')
    .description(
      'leave mail to these recipients untracked from now on, and count their clicks on links already sent without attributing them',
    )
    .argument('[address...]', 'addresses, or digests as --list prints them; - reads lines')
    .option('--undo', 'track these recipients again')
    .option('--list', 'print the digests of all who opted out, or whether these addresses did')
    .action(async (given: readonly string[], options: OptOutOptions) => {
      if (options.undo && options.list) {
        throw new CommandFailed(exitCode.usage, 'expected one of --undo and --list');
      }
      const recipients = given.includes('-') ? (await text(process.stdin)).split('\n') : given;
      const wanted = recipients.map((one) => one.trim()).filter(Boolean);
      if (wanted.length === 0 && !options.list) {
        throw new CommandFailed(exitCode.usage, 'expected addresses, or --list');
      }
      const digests = new Map(wanted.map((recipient) => [digestOf(recipient), recipient]));
      await withStore(program, stderrLogger, async ({ optOuts }) => {
        process.stdout.write(await answer(optOuts, digests, options));
      });
    });
}

async function answer(
  optOuts: EditableOptOuts,
  asked: ReadonlyMap<string, string>,
  { undo, list }: OptOutOptions,
): Promise<string> {
  const digests = [...asked.keys()];
  if (!list) {
    const changed = await (undo ? optOuts.remove(digests) : optOuts.add(digests));
    const others = digests.length - changed;
    const was = undo ? 'had not opted out' : 'had opted out already';
    return `${changed} ${undo ? 'tracked again' : 'opted out'}${others > 0 ? `, ${others} ${was}` : ''}\n`;
  }
  const all = await optOuts.all();
  const shown: readonly (readonly [string, string])[] =
    asked.size === 0
      ? [...all]
      : [...asked].map(([digest, recipient]) => [
          recipient,
          all.get(digest) ?? 'has not opted out',
        ]);
  return shown.map(([who, since]) => `${who} ${since}\n`).join('');
}

/** @throws CommandFailed for what is neither an address nor a digest */
function digestOf(recipient: string): string {
  // The time that --list prints behind a digest may follow it.
  const [first = ''] = recipient.split(' ');
  if (OPT_OUT_DIGEST.test(first)) return first;
  const address = recipient.replace(/^<(.*)>$/, '$1');
  if (/^[^\s<>]+@[^\s<>@]+$/.test(address)) return optOutDigest(address);
  throw new CommandFailed(
    exitCode.usage,
    `"${recipient}": expected an address such as user@example.com`,
  );
}
