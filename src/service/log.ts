import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { Configuration } from '../config/configuration.ts';
import { printableJson } from '../lib/printable.ts';
import { leadsToJournal, type Severity, withSeverity } from '../lib/systemd-journal.ts';
import { LogOutput } from './log-output.ts';

export interface Log {
  readonly logger: PinoLogger;
  /** Opens the log file again, for logrotate. */
  reopen(): void;
  /** Settles when all lines have been written, or it is clear that they cannot be. */
  flush(): Promise<void>;
  /** Writes all lines synchronously, for a process that ends without `flush`. */
  flushNow(): void;
}

/**
 * The log shows only these fields of an error: others may hold a link (the arguments of a Redis
 * command, the input of a URL).
 */
const serializers = {
  err(error: unknown) {
    if (!(error instanceof Error)) return String(error);
    const { name: type, message, stack } = error;
    const { code } = error as NodeJS.ErrnoException;
    return { type, message, stack, ...(code !== undefined && { code }) };
  },
};

/** Opens the log: JSON lines, or readable ones on a terminal. */
export function openLog({ level, format, file }: Configuration['log']): Log {
  // Read in any case: process.stdout makes a pipe non-blocking, and a write that blocks would keep
  // the process from ending.
  const onTerminal = process.stdout.isTTY && file === undefined;
  const output = new LogOutput(file, (lines) =>
    logger.error({ lines }, 'log lines lost: they could not be written'),
  );
  const pretty = format === 'pretty' || (format === 'auto' && onTerminal);
  const logger = pino(
    { level, base: pretty ? null : { pid: process.pid }, serializers },
    destination(output, pretty, file === undefined && leadsToJournal(1)),
  );
  return {
    logger,
    reopen: () => output.reopen(),
    flush: () => output.flush(),
    flushNow: () => output.flushNow(),
  };
}

/**
 * Control characters that a terminal would obey, but for those of the layout: line breaks, tabs and
 * colours.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours begin with one
const COMMANDS = /(?!\n|\t|\u001b\[\d+m)\p{Cc}/gu;

/** Writes lines as people or systemd's journal read them. */
function destination(output: DestinationStream, pretty: boolean, journal: boolean) {
  const prettify = pretty ? prettyFactory({ singleLine: true }) : undefined;
  return {
    // Has pino set lastLevel before it writes.
    [Symbol.for('pino.metadata')]: true,
    lastLevel: 0,
    write(line: string): void {
      const text = prettify?.(line).replace(COMMANDS, '') ?? printableJson(line);
      output.write(journal ? withSeverity(text, severityOf(this.lastLevel)) : text);
    },
  };
}

function severityOf(level: number): Severity {
  if (level >= 50) return 'error';
  if (level >= 40) return 'warning';
  return level >= 30 ? 'info' : 'debug';
}
