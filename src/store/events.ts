/** One click event as it is kept: its place in the stream or journal, and one line of JSON. */
export interface StoredEvent {
  /** Opaque; unique within its stream or journal. */
  readonly id: string;
  readonly event: string;
}

/**
 * The fields of an event (`track_event`), whose types are not checked.
 * @returns undefined for a line that is not an event: a torn write, or the work of an editor or another program
 */
export function fieldsOfEvent(text: string): Readonly<Record<string, unknown>> | undefined {
  if (!text.startsWith('{"msys":')) return undefined;
  try {
    const { msys } = JSON.parse(text) as { msys: unknown };
    const fields = isObject(msys) ? msys['track_event'] : undefined;
    return isObject(fields) ? fields : undefined;
  } catch {
    return undefined;
  }
}

export function isEventLine(text: string): boolean {
  return fieldsOfEvent(text) !== undefined;
}

/** @param address in lower case */
export function isEventAbout(address: string, text: string): boolean {
  // Most lines need not be parsed.
  return text.includes(JSON.stringify(address)) && fieldsOfEvent(text)?.['rcpt_to'] === address;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Bytes of events that are read at once, unless the reader asks for less. */
export const READ_BYTES = 1024 * 1024;

/** The first items: at most `max`, and after the first one as many as stay within `maxBytes` together. */
export function firstWithin<T>(
  items: readonly T[],
  textOf: (item: T) => string,
  max: number,
  maxBytes: number,
): T[] {
  let bytes = 0;
  let count = 0;
  for (const item of items.slice(0, max)) {
    bytes += Buffer.byteLength(textOf(item));
    if (bytes > maxBytes && count > 0) break;
    count++;
  }
  return items.slice(0, count);
}

/** Where events are kept, in the order in which they were appended. */
export interface EventAppender {
  /**
   * Settles when all of them are kept; must be bounded in time.
   * @param events each one event's JSON, without a line break
   * @throws StoreUnavailable when they may not be kept (some may be: delivery is at least once)
   */
  append(events: readonly string[]): Promise<void>;
}

/** Reads every event, sharing nothing with other readers. */
export interface EventReader {
  /**
   * The next events; empty when none came within `waitMs`.
   * @param max at most so many
   * @param maxBytes roughly so many bytes of them, at least one event; default READ_BYTES
   */
  next(max: number, waitMs: number, maxBytes?: number): Promise<readonly StoredEvent[]>;
  close(): Promise<void>;
}

/** Reads everything that a stream or journal holds. */
export interface StreamReader extends EventReader {
  /** Entries or lines so far that are not events, and were passed over. */
  readonly skipped: number;
}

/** What waits for delivery. */
export interface Backlog {
  readonly events: number;
  /** Unix milliseconds of the oldest of them; absent where nothing waits. */
  readonly oldest?: number;
}

/** Reads events as one of the consumers that share the work; what was read stays its own until acknowledged. */
export interface EventConsumer extends EventReader {
  /**
   * What was read and never acknowledged, by this consumer in an earlier life or by one that is
   * gone: the first events, as with `next`. Asked before `next`; always the same ones until they are acknowledged.
   */
  unacknowledged(max: number, maxBytes?: number): Promise<readonly StoredEvent[]>;
  acknowledge(events: readonly StoredEvent[]): Promise<void>;
  /** What no consumer has acknowledged yet. */
  backlog(): Promise<Backlog>;
}
