import { BoundedCache } from './bounded-cache.ts';

/** The fields of a log line, which identify what it is about. */
export type Fields = Readonly<Record<string, unknown>>;

/** Writes a log line: the fields that identify what it is about, and what happened. */
interface Write {
  (fields: Fields, message: string): void;
  (message: string): void;
}

/** The log, as every room sees it. A pino logger is one. */
export interface Logger {
  /** Logs what only helps to find a fault. */
  readonly debug: Write;
  /** Logs what happens as it should. */
  readonly info: Write;
  /** Logs what may lead to a fault. */
  readonly warn: Write;
  /** Logs a fault: mail or clicks are affected. */
  readonly error: Write;
  /** Whether lines of a level (`debug`, `info` …) are written. */
  isLevelEnabled(level: string): boolean;
}

/** Logs nothing: for tests and for commands whose output is their own. */
export const silent: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  isLevelEnabled: () => false,
};

/** Kinds that are remembered. A forgotten kind is logged too early, at worst. */
const MAX_KINDS = 1000;

interface Kind {
  readonly since: number;
  heldBack: number;
}

/** Admits one occurrence of each kind per interval and counts the others. */
export class OncePerInterval {
  readonly #intervalMs: number;
  readonly #kinds = new BoundedCache<string, Kind>(MAX_KINDS);

  constructor(intervalMs = 1000) {
    this.#intervalMs = intervalMs;
  }

  /**
   * @returns how many occurrences were held back since the last admitted one; undefined where this
   * one is held back
   */
  admit(kind: string): number | undefined {
    // The wall clock may jump.
    const now = performance.now();
    const known = this.#kinds.get(kind);
    if (known !== undefined && now - known.since < this.#intervalMs) {
      known.heldBack++;
      return undefined;
    }
    this.#kinds.set(kind, { since: now, heldBack: 0 });
    return known?.heldBack ?? 0;
  }
}

/** Of each log; a process has one. */
const limits = new WeakMap<Logger, OncePerInterval>();

/**
 * Logs what strangers or an unavailable store could cause with each request: at most one line per
 * second and kind. The field `repeats` counts the lines that were held back.
 * @returns whether this line was written
 */
export function logLimited(
  logger: Logger,
  level: 'info' | 'warn' | 'error',
  message: string,
  fields: Fields = {},
  kind = message,
): boolean {
  const limit = limits.get(logger) ?? new OncePerInterval();
  limits.set(logger, limit);
  const repeats = limit.admit(kind);
  if (repeats === undefined) return false;
  logger[level](repeats > 0 ? { ...fields, repeats } : fields, message);
  return true;
}

/** The message of an error, or of another value that was thrown. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A connection to a name with several addresses fails with one error for each, and no message of
  // its own.
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(reasonOf).join(', ');
  }
  const { message, cause } = error;
  // Only the cause says why.
  return message === 'fetch failed' && cause instanceof Error
    ? `${message}: ${reasonOf(cause) || String(cause)}`
    : message;
}

/**
 * Logs a failure in a short line, at most one per second and kind. The stack trace follows at level
 * debug.
 * @param kind default: the message with the reason; name a kind where reasons are many
 */
export function logFailure(
  logger: Logger,
  level: 'warn' | 'error',
  error: unknown,
  message: string,
  fields: Fields = {},
  kind?: string,
): void {
  const reason = reasonOf(error);
  if (logLimited(logger, level, message, { ...fields, reason }, kind ?? `${message} ${reason}`)) {
    logger.debug({ err: error }, message);
  }
}

/** How much of the URLs of links, and of people, the log and the engagement page show. */
export type Detail = 'none' | 'domain' | 'full';

interface ShownTarget {
  readonly target?: string;
  readonly host?: string;
}

/** The fields that show a target. */
export function shownTarget(detail: Detail, target: string): ShownTarget {
  if (detail === 'none') return {};
  if (detail === 'full') return { target };
  return { host: URL.canParse(target) ? new URL(target).host : '' };
}

/** The fields that show a target at level debug; none at other levels. */
export function showTarget(logger: Logger, detail: Detail, target: string): ShownTarget {
  return logger.isLevelEnabled('debug') ? shownTarget(detail, target) : {};
}
