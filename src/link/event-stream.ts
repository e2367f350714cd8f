/** One click event as it is kept: its place in the stream or journal, and one line of JSON. */
export interface StoredEvent {
  /** Opaque; unique within its stream or journal. */
  readonly id: string;
  readonly event: string;
}

/** Whether a line is an event: what a torn write, somebody's editor or another program leaves behind is not. */
export function isEventLine(text: string): boolean {
  if (!text.startsWith('{"msys":')) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
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
  /** The next events, at most `max`; empty when none came within `waitMs`. */
  next(max: number, waitMs: number): Promise<readonly StoredEvent[]>;
  close(): Promise<void>;
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
   * gone, at most `max`. Asked before `next`; always the same events until they are acknowledged.
   */
  unacknowledged(max: number): Promise<readonly StoredEvent[]>;
  acknowledge(events: readonly StoredEvent[]): Promise<void>;
  /** What no consumer has acknowledged yet. */
  backlog(): Promise<Backlog>;
}
