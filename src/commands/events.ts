import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { printableJson } from '../lib/printable.ts';
import { whenAborted } from '../lib/when-aborted.ts';
import { StoreUnavailable } from '../link/link-store.ts';
import type { StoredEvent, StreamReader } from '../store/events.ts';
import { stderrLogger, withStore } from './with-store.ts';

interface EventsOptions {
  readonly follow?: true;
  readonly new?: true;
}

const PORTION = 1000;
const LOOK_MS = 1000;

/** `clickmilter events` prints click events as JSON lines. */
export function eventsCommand(program: Command): void {
  program
    .command('events')
    .description('print click events as JSON lines, oldest first')
    .option('-f, --follow', 'wait for further events')
    .option('-n, --new', 'start with new events only; use with --follow')
    .action(async (options: EventsOptions) => {
      await withStore(program, stderrLogger, async ({ events }) => {
        const reader = events.openReader(options.new ? 'newest' : 'oldest');
        const interrupt = interruptSignal();
        try {
          await printEvents(reader, options.follow ?? false, interrupt.signal);
          if (reader.skipped > 0) {
            process.stderr.write(
              `clickmilter: events: ${reader.skipped} entries skipped: they are not events\n`,
            );
          }
        } finally {
          interrupt.release();
          await reader.close();
        }
      });
    });
}

/** A signal that Ctrl-C aborts, or a standard output that can no longer be written. */
function interruptSignal(): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const abort = () => controller.abort();
  process.once('SIGINT', abort).once('SIGTERM', abort);
  // Never removed: a write that is in progress may fail after the end.
  process.stdout.on('error', abort);
  return {
    signal: controller.signal,
    release() {
      process.off('SIGINT', abort).off('SIGTERM', abort);
    },
  };
}

async function printEvents(
  reader: StreamReader,
  follow: boolean,
  signal: AbortSignal,
): Promise<void> {
  const aborted = new Promise<[]>((resolve) => whenAborted(signal, () => resolve([])));
  let away = false;
  while (!signal.aborted) {
    try {
      const next = reader.next(PORTION, follow ? LOOK_MS : 0);
      const events = await Promise.race([next, aborted]);
      away = false;
      if (events.length === 0 && !follow) return;
      await Promise.race([print(events), aborted]);
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || !follow) throw error;
      // The reader continues at its position.
      if (!away) process.stderr.write(`clickmilter: ${error.message}; waiting for it\n`);
      away = true;
      await Promise.race([sleep(LOOK_MS), aborted]);
    }
  }
}

async function print(events: readonly StoredEvent[]): Promise<void> {
  const text = events.map(({ event }) => `${printableJson(event)}\n`).join('');
  if (text === '' || process.stdout.write(text)) return;
  await new Promise((resolve) => process.stdout.once('drain', resolve));
}
