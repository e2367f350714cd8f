import { OncePerInterval } from './once-per-interval.ts';

/** The fields of a log line, which identify what it is about. */
export type Fields = Readonly<Record<string, unknown>>;

/** Writes a log line: the fields that identify what it is about, and what happened. */
export interface Write {
  (fields: Fields, message: string): void;
  (message: string): void;
}

/** The log, as every room sees it. A pino logger is one. */
export interface Logger {
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
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

const limited = new OncePerInterval();

/**
 * Logs what strangers or an unavailable store could cause with each request: at most one line per second and kind. The
 * field `repeats` counts the lines that were held back.
 * @returns whether this line was written
 */
export function logLimited(
  logger: Logger,
  level: 'info' | 'warn' | 'error',
  message: string,
  fields: Fields = {},
  kind = message,
): boolean {
  const repeats = limited.admit(kind);
  if (repeats === undefined) return false;
  logger[level](repeats > 0 ? { ...fields, repeats } : fields, message);
  return true;
}

/**
 * Logs a failure in a short line, at most one per second and kind. The stack trace follows at level debug.
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
  const reason = error instanceof Error ? error.message : String(error);
  if (logLimited(logger, level, message, { ...fields, reason }, kind ?? `${message} ${reason}`)) {
    logger.debug({ err: error }, message);
  }
}

/** How much of the URLs of links a log shows. */
export type Detail = 'none' | 'domain' | 'full';

/** The fields that show a target at level debug; none at other levels. */
export function showTarget(
  logger: Logger,
  detail: Detail,
  target: string,
): { readonly target?: string; readonly host?: string } {
  if (detail === 'none' || !logger.isLevelEnabled('debug')) return {};
  if (detail === 'full') return { target };
  return { host: URL.canParse(target) ? new URL(target).host : '' };
}
