import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { noMetrics } from '../lib/metrics.ts';
import { printableJson } from '../lib/printable.ts';
import { StoreUnavailable } from '../link/link-store.ts';
import { openStore } from '../store/open-store.ts';
import type { StoredEvent, StreamReader } from '../store/store.ts';
import { configured } from './configured.ts';
import { CommandFailed, exitCode } from './exit-code.ts';
import { stderrLogger } from './stderr-logger.ts';

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
      const store = await openStore(configured(program), stderrLogger, noMetrics);
      const reader = store.events.openReader(options.new ? 'newest' : 'oldest');
      const interruption = new Interruption();
      try {
        await printEvents(reader, options.follow ?? false, interruption);
        if (reader.skipped > 0) {
          process.stderr.write(
            `clickmilter: events: ${reader.skipped} entries are left out: they are not events\n`,
          );
        }
      } finally {
        interruption.forget();
        await reader.close();
        await store.close();
      }
    });
}

/** That somebody pressed Ctrl-C, or that nobody reads the output any more. */
class Interruption {
  /** Settles when it has come. */
  readonly come: Promise<[]>;
  #hasCome = false;
  #listener = () => {};

  constructor() {
    this.come = new Promise((resolve) => {
      this.#listener = () => {
        this.#hasCome = true;
        resolve([]);
      };
    });
    process.once('SIGINT', this.#listener).once('SIGTERM', this.#listener);
    // Stays: a write that was under way may fail after the end has come.
    process.stdout.on('error', this.#listener);
  }

  get hasCome(): boolean {
    return this.#hasCome;
  }

  forget(): void {
    process.off('SIGINT', this.#listener).off('SIGTERM', this.#listener);
  }
}

async function printEvents(
  reader: StreamReader,
  follow: boolean,
  interruption: Interruption,
): Promise<void> {
  let away = false;
  while (!interruption.hasCome) {
    try {
      const next = reader.next(PORTION, follow ? LOOK_MS : 0);
      const events = await Promise.race([next, interruption.come]);
      away = false;
      if (events.length === 0 && !follow) return;
      await print(events, interruption);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
      if (!follow) throw new CommandFailed(exitCode.unavailable, error.message);
      // The reader goes on where it was.
      if (!away) process.stderr.write(`clickmilter: ${error.message}; waiting for it\n`);
      away = true;
      await Promise.race([sleep(LOOK_MS), interruption.come]);
    }
  }
}

async function print(events: readonly StoredEvent[], interruption: Interruption): Promise<void> {
  const text = events.map(({ event }) => `${printableJson(event)}\n`).join('');
  if (text === '' || process.stdout.write(text)) return;
  const drained = new Promise((resolve) => process.stdout.once('drain', resolve));
  await Promise.race([drained, interruption.come]);
}
