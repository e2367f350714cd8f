import { type DestinationStream, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { Configuration } from '../config/configuration.ts';
import type { MessageReport } from '../filter/report.ts';
import type { ResolvedLink } from '../link/link-store.ts';
import type { TrackedLink } from '../link/message-facts.ts';
import type { LeftAlone, LinkOutcome } from '../message/outcome.ts';

export type { Logger };

type Destination = ReturnType<typeof pino.destination>;

/** How long a line may wait for others, and how many characters of them are held at most. */
const GATHER_MS = 50;
const GATHER_LENGTH = 65_536;

export interface Log {
  readonly logger: Logger;
  /** Opens the log file anew, for logrotate. */
  reopen(): void;
  /** Settles when what is still held has been written. */
  flush(): Promise<void>;
}

/** Only these of an error: what else hangs on it may be the link itself (the arguments of a Redis command, the input of a URL). */
const serializers = {
  err(error: unknown) {
    if (!(error instanceof Error)) return String(error);
    const { name: type, message, stack } = error;
    const { code } = error as NodeJS.ErrnoException;
    return { type, message, stack, ...(code !== undefined && { code }) };
  },
};

/** JSON lines where a machine reads along, something for people on a terminal. */
export function openLog({ level, format, file }: Configuration['log']): Log {
  const onTerminal = file === undefined && process.stdout.isTTY;
  if (format === 'pretty' || (format === 'auto' && onTerminal)) {
    const stream = pretty({ destination: file ?? 1, sync: true, mkdir: true, singleLine: true });
    return {
      logger: pino({ level, base: null, serializers }, stream),
      reopen() {},
      flush: async () => {},
    };
  }
  // Not waiting for the disk, and gathered: a write for each message and each click would cost more than the line does.
  const destination = pino.destination({
    dest: file ?? 1,
    mkdir: true,
    sync: false,
    // Anything: what comes is many lines. (With 0 its flush would not wait.)
    minLength: 1,
  });
  const lines = new GatheredLines(destination);
  return {
    logger: pino({ level, base: { pid: process.pid }, serializers }, lines),
    reopen: () => file !== undefined && destination.reopen(),
    flush: () =>
      new Promise((resolve) => {
        lines.pass();
        destination.flush((error) => {
          // It may leave less than its least length behind.
          if (!error) destination.flushSync();
          resolve();
        });
      }),
  };
}

/** Hands many lines on at a time, and those before a pause soon: to the destination each piece costs more than a line. */
class GatheredLines implements DestinationStream {
  readonly #destination: Destination;
  #held = '';
  #scheduled = false;

  constructor(destination: Destination) {
    this.#destination = destination;
  }

  write(line: string): void {
    this.#held += line;
    if (this.#held.length >= GATHER_LENGTH) {
      this.pass();
    } else if (!this.#scheduled) {
      this.#scheduled = true;
      setTimeout(() => {
        this.#scheduled = false;
        this.pass();
      }, GATHER_MS).unref();
    }
  }

  /** Hands on what is held. */
  pass(): void {
    if (this.#held !== '') this.#destination.write(this.#held);
    this.#held = '';
  }
}

/** The line of one message; at level debug with each of its links, of whose URLs it shows what `detail` allows. */
export function logMessage(
  logger: Logger,
  detail: Configuration['log']['detail'],
  { links, milliseconds, problems, ...report }: MessageReport,
): void {
  const leftAlone = leftAloneBy(links);
  const tracked = links.filter((link) => link.tracked).length;
  logger.info(
    {
      ...report,
      found: links.length,
      tracked,
      ...(leftAlone.size > 0 && { leftAlone: Object.fromEntries(leftAlone) }),
      ms: Math.round(milliseconds * 10) / 10,
      ...(detail !== 'none' &&
        logger.isLevelEnabled('debug') && { links: links.map((link) => show(link, detail)) }),
    },
    `message ${report.verdict}`,
  );
  for (const problem of problems) logger.warn({ queueId: report.queueId }, problem);
}

/** The line of one followed link; at level debug with as much of its target as `detail` allows. */
export function logFollowed(
  logger: Logger,
  detail: Configuration['log']['detail'],
  status: number,
  { link, message }: ResolvedLink,
): void {
  const { messageId, campaignId } = message;
  const line = { status, messageId, campaignId, part: link.part };
  const more = detail !== 'none' && logger.isLevelEnabled('debug');
  logger.info(more ? { ...line, ...show(link, detail) } : line, 'link followed');
}

/** How many links were left alone, by reason. */
export function leftAloneBy(links: readonly LinkOutcome[]): ReadonlyMap<LeftAlone, number> {
  const counts = new Map<LeftAlone, number>();
  for (const { reason } of links) {
    if (reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return counts;
}

function show(
  { part, target, reason }: TrackedLink & Pick<LinkOutcome, 'reason'>,
  detail: 'domain' | 'full',
) {
  return {
    part,
    ...(detail === 'full'
      ? { target }
      : { host: URL.canParse(target) ? new URL(target).host : '' }),
    ...(reason !== undefined && { reason }),
  };
}
