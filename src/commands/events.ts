import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { EventReader, StoredEvent } from '../link/event-stream.ts';
import { StoreUnavailable } from '../link/link-store.ts';
import { configured } from './configured.ts';
import { openEventRecords } from './event-records.ts';
import { CommandFailed, exitCode } from './exit-code.ts';
import { printableJson } from './printable.ts';

interface EventsOptions {
  readonly follow?: true;
  readonly new?: true;
}

const PORTION = 1000;
const LOOK_MS = 1000;

/** `clickmilter events`: the click events as JSON lines. */
export function eventsCommand(program: Command): void {
  program
    .command('events')
    .description('print click events as JSON lines, oldest first')
    .option('-f, --follow', 'go on as they come')
    .option('-n, --new', 'leave out those that are there already; with --follow')
    .action(async (options: EventsOptions) => {
      const records = openEventRecords(configured(program));
      const reader = records.openReader(options.new ? 'newest' : 'oldest');
      const end = untilTold();
      try {
        await printEvents(reader, options.follow ?? false, end);
      } finally {
        end.forget();
        await reader.close();
        await records.close();
      }
    });
}

/** That somebody pressed Ctrl-C, or that nobody reads the output any more. */
interface End {
  readonly came: Promise<[]>;
  readonly isThere: boolean;
  forget(): void;
}

function untilTold(): End {
  let isThere = false;
  let end = () => {};
  const came = new Promise<[]>((resolve) => {
    end = () => {
      isThere = true;
      resolve([]);
    };
  });
  process.once('SIGINT', end).once('SIGTERM', end);
  // Stays: a write that was under way may fail after the end has come.
  process.stdout.on('error', end);
  return {
    came,
    get isThere() {
      return isThere;
    },
    forget() {
      process.off('SIGINT', end).off('SIGTERM', end);
    },
  };
}

async function printEvents(reader: EventReader, follow: boolean, end: End): Promise<void> {
  let away = false;
  while (!end.isThere) {
    try {
      const events = await Promise.race([reader.next(PORTION, follow ? LOOK_MS : 0), end.came]);
      away = false;
      if (events.length === 0 && !follow) return;
      await print(events, end);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      if (!follow) throw new CommandFailed(exitCode.unavailable, error.message);
      // The reader goes on where it was.
      if (!away) process.stderr.write(`clickmilter: ${error.message}; waiting for it\n`);
      away = true;
      await Promise.race([sleep(LOOK_MS), end.came]);
    }
  }
}

async function print(events: readonly StoredEvent[], end: End): Promise<void> {
  const text = events.map(({ event }) => `${printableJson(event)}\n`).join('');
  if (text === '' || process.stdout.write(text)) return;
  await Promise.race([new Promise((resolve) => process.stdout.once('drain', resolve)), end.came]);
}
