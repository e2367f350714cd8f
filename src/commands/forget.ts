import type { Command } from 'commander';
import { silent } from '../lib/logger.ts';
import type { Forgotten } from '../store/store.ts';
import { CommandFailed, exitCode } from './exit-code.ts';
import { Progress } from './progress.ts';
import { withStore } from './with-store.ts';

interface ForgetOptions {
  readonly recipient: string;
  readonly keepLinks?: boolean;
}

/** `clickmilter forget` erases the stored data about a recipient. */
export function forgetCommand(program: Command): void {
  program
    .command('forget')
    .description('erase the stored data about a recipient')
    .requiredOption('--recipient <address>', 'address of the recipient in the envelope')
    .option('--keep-links', 'keep the links sent to the recipient working')
    .action(async ({ recipient, keepLinks = false }: ForgetOptions) => {
      await withStore(program, silent, async (store) => {
        const progress = new Progress('forget', 1);
        const forgetting = store.forget({
          address: recipient,
          keepLinks,
          progress: (done, total) => progress.update(done / total),
        });
        const found = await forgetting.finally(() => progress.end());
        process.stdout.write(describe(found, keepLinks) + REMAINS);
        if (found.unreadable > 0) throw new CommandFailed(exitCode.dataError, notRead(found));
      });
    });
}

function describe({ records, shared, events }: Forgotten, keepLinks: boolean): string {
  const what = keepLinks
    ? 'recipient, subject and metadata erased, their links still work'
    : 'erased, their links now lead nowhere';
  return (
    `${records} stored messages: ${what}\n` +
    `${shared} stored messages with other recipients too: address erased\n` +
    `${events} click events: erased\n`
  );
}

function notRead({ unreadable, whyUnreadable }: Forgotten): string {
  return (
    `${unreadable} stored messages could not be read, and may still hold this recipient; ` +
    `the reason for the last of them: ${whyUnreadable}`
  );
}

const REMAINS = `What this cannot erase: sealed links in mail already sent, which hold the address encrypted until their key
is deleted; events already delivered; journals of other hosts; counts by link, where a target itself says whose
it was; events erased from the click stream, in Redis' own memory and files until later ones push them out
(stream_max_length, stream_max_size); logs and backups.
`;
