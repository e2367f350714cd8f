import type { Metrics } from '../lib/metrics.ts';

/** Click events, in the order in which they were appended. */
export interface Events {
  /** Opens the events for appending; one appender per process. */
  openAppender(): Promise<ClickAppender & { close(): Promise<void> }>;
  /** @param from `oldest`: every event that is kept; `newest`: only events appended from now on */
  openReader(from: 'oldest' | 'newest'): StreamReader;
  /**
   * Reads the last events that are kept where readers look, without reading the others.
   * @returns at most `max`, the newest last; from several files of a journal, by their seconds
   */
  recent(max: number): Promise<readonly StoredEvent[]>;
  /** @param lease what a consumer that keeps notes must hold, where the store cannot tell */
  openConsumer(name: ConsumerName, lease?: Lease): EventConsumer;
  /** The right to do something that one process at a time does for all that share the events. */
  lease(name: string): Lease;
  /** Events that wait on this host until they can be appended where consumers look. */
  waiting(): Promise<Backlog>;
  /**
   * Removes the events of clicks before this time, delivered or not.
   * @param time Unix milliseconds
   * @returns how many they were
   */
  removeBefore(time: number): Promise<number>;
  /** Where events go that cannot be delivered. */
  readonly deadLetters: DeadLetterBox;
  /** Defines gauges for the room that events take, and for its limits. */
  measure(metrics: Metrics): void;
}

/** One click event: its place, and one line of JSON. */
export interface StoredEvent {
  /** Opaque; unique within its stream or journal. */
  readonly id: string;
  readonly event: string;
  /** The fields of the event, where its reader has parsed it anyway. */
  readonly fields?: EventFields;
}

/** The fields of an event (`track_event`); their types are not checked. */
export type EventFields = Readonly<Record<string, unknown>>;

export interface EventAppender {
  /**
   * Settles when all events are kept; must be bounded in time.
   * @param events the JSON of each event, without a line break
   * @throws StoreUnavailable when they may not be kept (some may be: delivery is at least once)
   */
  append(events: readonly string[]): Promise<void>;
}

/** Keeps the events of clicks with what it knows of the clicks and HEAD requests before them. */
export interface ClickAppender extends EventAppender {
  /**
   * Settles when the click is kept; must be bounded in time.
   * @throws StoreUnavailable when it may not be kept
   */
  record(click: ClickDraft): Promise<void>;
  /** Remembers a HEAD request for a link. Nobody waits for it. @param link stands for the link */
  headSeen(link: string): void;
}

/** Links remembered of one burst. A message with more links never has the sign `every_link`. */
export const MAX_BURST_LINKS = 100;

/** The event of a click up to its signs, which depend on what came before the click. */
export interface ClickDraft {
  readonly eventId: string;
  /** Unix milliseconds. */
  readonly time: number;
  /**
   * Stands for client and message; clicks that share it are a burst. Empty for a click without one.
   */
  readonly burst: string;
  /** Stands for the link: 8 characters of base64url. */
  readonly link: string;
  /** The event's JSON, up to its signs. */
  readonly start: string;
  /** The possible signs. The last ending that fits holds. */
  readonly endings: readonly Ending[];
  /** The JSON before the list of reclassified events. */
  readonly reclassifies: string;
  /** The JSON behind everything. */
  readonly end: string;
}

/** The signs of a click, for certain clicks before it. */
export interface Ending {
  /** How many links of the message the burst has followed at least, this one included. */
  readonly links: number;
  /** Whether there was a HEAD request for the link. */
  readonly headSeen: boolean;
  /** Who made the click. A `burst` makes the earlier clicks of the burst automatic as well. */
  readonly kind: 'person' | 'program' | 'burst';
  /** The JSON members of the signs. */
  readonly members: string;
}

/** How long clicks and HEAD requests are remembered. */
export interface SignSettings {
  readonly automaticWithinMs: number;
}

/** Bytes of events that are read at once, unless the reader asks for less. */
export const READ_BYTES = 1024 * 1024;

/** Reads every event, independently of other readers. */
export interface EventReader {
  /**
   * Reads the next events; none when none came within `waitMs`.
   * @param maxBytes a rough limit, of at least one event; default READ_BYTES
   */
  next(max: number, waitMs: number, maxBytes?: number): Promise<readonly StoredEvent[]>;
  close(): Promise<void>;
}

/** Reads everything that a stream or journal holds. */
export interface StreamReader extends EventReader {
  /** Entries or lines that were skipped so far, because they are not events. */
  readonly skipped: number;
}

/** The consumers of a group share its events. */
export interface ConsumerName {
  readonly group: string;
  /** Unique within the group, and the same after a restart. */
  readonly name: string;
}

/**
 * Reads events as one of the consumers of a group. An event that was read stays its own until it is
 * acknowledged.
 */
export interface EventConsumer extends EventReader {
  /**
   * Reads the first events that were read and not acknowledged, by this consumer before a restart
   * or by a consumer that is gone. Callers ask for them before `next`; they stay the same until
   * they are acknowledged.
   */
  unacknowledged(max: number, maxBytes?: number): Promise<readonly StoredEvent[]>;
  acknowledge(events: readonly StoredEvent[]): Promise<void>;
  /** The last note of the group, before a restart too. A consumer reads it before it keeps one. */
  note(): Promise<Note>;
  /**
   * Acknowledges events, and in the same step keeps a note in place of the last one.
   * @returns the id of the note
   * @throws Superseded
   */
  keep(events: readonly StoredEvent[], note: Omit<Note, 'id'>): Promise<string>;
  /** Events that no consumer has acknowledged yet. */
  backlog(): Promise<Backlog>;
}

/** What a group of consumers keeps of events that it has acknowledged. */
export interface Note {
  /** Where the store orders its notes: a text that is greater than those of all notes before. */
  readonly id: string;
  /** Empty where nothing is left to be done. */
  readonly text: string;
  /** The event ids that were noted last, the newest first, where the same event may come again. */
  readonly eventIds: readonly string[];
}

/** Another process has taken over meanwhile, and nothing was changed. */
export class Superseded extends Error {
  override readonly name = 'Superseded';
}

/** How long the holder of a lease may be silent. */
export const LEASE_MS = 10_000;

/** A right that one process at a time has. It ends LEASE_MS after its holder fell silent. */
export interface Lease {
  /**
   * Takes the right, or keeps it.
   * @returns whether this process has it; false as well, once, where another may have had it
   * meanwhile
   */
  hold(): Promise<boolean>;
  /** Whether this process has the right now. */
  isHeld(): Promise<boolean>;
  /** Gives up the right, if this process has it. */
  release(): Promise<void>;
}

/** Events that wait. */
export interface Backlog {
  readonly events: number;
  /** Unix milliseconds of the oldest of them; absent where none waits. */
  readonly oldest?: number;
}

/** Keeps events that cannot be delivered. */
export interface DeadLetterBox {
  /** Where operators find them. */
  readonly path: string;
  /** @throws Error where they cannot be kept */
  add(events: readonly string[], reason: string): Promise<void>;
}
