import type { Command } from 'commander';
import { forgetInJournal } from '../store/local/forget-in-journal.ts';
import type { Forgotten } from '../store/redis/forget-recipient.ts';
import { createRedisStore } from '../store/redis/store.ts';
import { configured } from './configured.ts';
import { CommandFailed, exitCode } from './exit-code.ts';
import { Progress } from './progress.ts';
import { whileAvailable } from './while-available.ts';

interface ForgetOptions {
  readonly recipient: string;
  readonly keepLinks?: boolean;
}

/** `clickmilter forget`: erases what is stored about a recipient. */
export function forgetCommand(program: Command): void {
  program
    .command('forget')
    .description('erase what is stored about a recipient')
    .requiredOption('--recipient <address>', 'as it stands in the envelope')
    .option('--keep-links', 'let the links sent to the recipient go on leading to their targets')
    .action(async ({ recipient, keepLinks = false }: ForgetOptions) => {
      const config = configured(program);
      const { events } = config;
      // Before the stream: what goes there from the journal meanwhile is found in it.
      const journalled = await forgetInJournal(events.journal, recipient);
      let found: Forgotten | undefined;
      if (config.linkStore === 'redis') {
        const store = createRedisStore({ ...config.redis, stream: events });
        const progress = new Progress('forget', 1);
        try {
          found = await whileAvailable(() =>
            store.forget({
              address: recipient,
              keepLinks,
              progress: (done, total) => progress.update(done / total),
            }),
          );
          progress.end();
          process.stdout.write(erasedFromRedis(found, keepLinks));
        } finally {
          progress.end();
          await store.close();
        }
      }
      process.stdout.write(
        `${journalled} events in the journal ${events.journal}: erased\n${REMAINS}`,
      );
      if (found !== undefined && found.unreadable > 0) {
        throw new CommandFailed(exitCode.dataError, notRead(found));
      }
    });
}

function erasedFromRedis({ records, shared, events }: Forgotten, keepLinks: boolean): string {
  const what = keepLinks
    ? 'recipient, subject and metadata erased, their links still lead to their targets'
    : 'erased, their links now lead nowhere';
  return (
    `${records} messages in Redis: ${what}\n` +
    `${shared} messages in Redis that others got as well: address taken out\n` +
    `${events} events in the click stream: erased\n`
  );
}

function notRead({ unreadable, whyUnreadable }: Forgotten): string {
  return (
    `${unreadable} messages in Redis could not be read, and may still hold this recipient; ` +
    `why, of the last of them: ${whyUnreadable}`
  );
}

const REMAINS = `What this cannot erase: sealed links in mail already sent, which hold the address encrypted until their key
is deleted; events already delivered; journals of other hosts; counts by link, where a target itself says whose
it was; events erased from the click stream, in Redis' own memory and files until later ones push them out
(stream_max_length, stream_max_size); logs and backups.
`;
