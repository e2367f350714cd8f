import type { Metrics } from '../lib/metrics.ts';
import type { CountedFacts } from '../link/counted.ts';
import type { LinkIssuer, LinkResolver, ResolvedLink, StoredMessage } from '../link/link-store.ts';
import type { MessageFacts, TrackedLink } from '../link/message-facts.ts';
import type { PreviewVersion } from '../preview/versions.ts';

/**
 * Everything that clickmilter keeps. Each folder beside this file is one backend; `openStore`
 * chooses between them. A backend that cannot answer in time rejects with StoreUnavailable.
 */
export interface Store {
  /**
   * Issues links whose records this store keeps; absent where it keeps none, so that links are
   * sealed.
   */
  readonly issuer?: LinkIssuer;
  /** Finds stored links; a store without records finds none. */
  readonly resolver: LinkResolver;
  /**
   * Finds a message by its id, with all of its links; a store without records finds none.
   * @throws StoreUnavailable when the answer cannot be known now
   */
  findMessage(messageId: string): Promise<StoredMessage | undefined>;
  readonly blocks: EditableBlockList;
  readonly optOuts: EditableOptOuts;
  readonly events: Events;
  readonly counters: Counters;
  readonly previews: Previews;
  /** Erases everything that is stored about a recipient. */
  forget(request: ForgetRequest): Promise<Forgotten>;
  /**
   * @param keys the sealing keys of this host, to be compared with those of the hosts that share
   * the store
   */
  health(keys?: KeysOfHost): Promise<StoreHealth>;
  /** Writes the counts that wait, and closes everything but appenders, readers and consumers. */
  close(): Promise<void>;
}

/** A decision of an operator about links: they answer 410, or lead elsewhere. */
export type Ruling = Block | Retarget;

/** Links that answer 410. */
export interface Block {
  readonly kind: 'token' | 'message' | 'url' | 'domain';
  readonly value: string;
  readonly to?: undefined;
}

/** Links that lead elsewhere than they were sent to lead. */
export interface Retarget {
  readonly kind: 'token' | 'message' | 'url';
  readonly value: string;
  /** Where they lead: an http or https URL. */
  readonly to: string;
  /** Who decided that. */
  readonly by: string;
  /** When: ISO 8601. */
  readonly since: string;
  readonly why?: string | undefined;
}

/** What operators have decided about links. */
export interface BlockList {
  /**
   * Finds the ruling that holds for a link which this store, or a sealed token, has just resolved;
   * at once where possible. A block goes before a retarget, and holds for where that leads too.
   * @throws StoreUnavailable when the answer cannot be known now
   */
  find(token: string, resolved: ResolvedLink): Ruling | undefined | Promise<Ruling | undefined>;
}

/**
 * A block list that operators edit. A change holds from the next request on, on every host that
 * shares the store.
 */
export interface EditableBlockList extends BlockList {
  /**
   * Adds a ruling. A retarget replaces another one of the same links.
   * @returns false where there was one of these links already
   */
  add(ruling: Ruling): Promise<boolean>;
  /**
   * Removes the ruling of its kind about the same links.
   * @returns false where there was none
   */
  remove(ruling: Ruling): Promise<boolean>;
  all(): Promise<readonly Ruling[]>;
}

/** Recipients who do not want to be tracked. */
export interface OptOuts {
  /**
   * Whether any of these recipients has opted out.
   * @param addresses without angle brackets
   * @throws StoreUnavailable when that cannot be known now
   */
  hasAny(addresses: readonly string[]): Promise<boolean>;
}

/**
 * Opt-outs that operators edit. A change holds within a second, on every host that shares the
 * store.
 */
export interface EditableOptOuts extends OptOuts {
  /** @param digests of `optOutDigest`. @returns how many of them are new */
  add(digests: readonly string[]): Promise<number>;
  /** @returns how many of them there were */
  remove(digests: readonly string[]): Promise<number>;
  /** The time of each opt-out, by its digest. */
  all(): Promise<ReadonlyMap<string, string>>;
}

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
  openConsumer(name: ConsumerName): EventConsumer;
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
  /** Events that no consumer has acknowledged yet. */
  backlog(): Promise<Backlog>;
}

/** A right that one process at a time has. It ends some seconds after its holder fell silent. */
export interface Lease {
  /** Takes the right, or keeps it. @returns whether this process has it */
  hold(): Promise<boolean>;
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

/** Counts messages and links sent, the denominators of reports. Must never make mail wait. */
export interface SentCounter {
  sent(message: SentMessage): void;
}

export interface SentMessage extends CountedFacts {
  /** When it was injected, in Unix milliseconds. */
  readonly time: number;
  /** How many of its links are tracked. */
  readonly links: number;
}

/** Who clicked, as far as it can be told. */
export type ClickClass = 'people' | 'automatic';

/** Counts clicks. Must never make the redirect wait. */
export interface ClickCounter {
  /** Counts clicks whose class is settled. */
  book(click: CountedClick, by: ClickClass): void;
}

/**
 * Clicks on one link of one message; the repeats of a flood are one call. It is plain data, without
 * personal facts.
 */
export interface CountedClick extends CountedFacts {
  /** When it was clicked, in Unix milliseconds. */
  readonly time: number;
  readonly messageId: string;
  /** The link's name, else its target. */
  readonly link: string;
  readonly part: TrackedLink['part'];
  /**
   * The link's place among the tracked links of its message, from 0 on; absent where it is not
   * known.
   */
  readonly position?: number | undefined;
  /** How many clicks this stands for, at least 1. */
  readonly count: number;
}

/** The numbers behind reports: what is counted is booked, and reports read the sums. */
export interface Counters extends SentCounter, ClickCounter, Reports {
  /** Writes what was counted so far; what cannot be written now stays for the next time. */
  flush(): Promise<void>;
  /**
   * Sums up what was counted, where that makes reports quicker. It is called now and then.
   * @param signal ends it early
   */
  sumUp(signal: AbortSignal): Promise<void>;
}

/** A message, and when it was injected: nobody clicks before. */
export type SentAt = Pick<MessageFacts, 'messageId' | 'injectionTime'>;

/** Reads sums that were made as clicks were counted: no report reads events. */
export interface Reports {
  /** @throws NotCounted for a query that no counts answer */
  report(query: ReportQuery): Promise<Report>;
  /**
   * How many clicks on each of these links of a message were counted.
   * @param links the name of each, else its target
   */
  clicksOf(message: SentAt, links: readonly string[]): Promise<readonly number[]>;
}

/** A report has one row for each of these. `hour` and `day` make series. */
export const REPORT_BY = [
  'campaign',
  'link',
  'position',
  'part',
  'pathway',
  'tag',
  'domain',
  'day',
  'hour',
] as const;
export type ReportBy = (typeof REPORT_BY)[number];

/** What a report may be limited to. */
export const REPORT_SCOPES = ['campaign', 'pathway', 'tag'] as const;
export type ReportScope = (typeof REPORT_SCOPES)[number];

/** Limits a report to one campaign, pathway or tag: it has at most one of these members. */
export type ReportFilter = { readonly [scope in ReportScope]?: string };

export interface ReportQuery extends ReportFilter {
  /** `breakdownsOf` in engagement.ts says which are counted, `daysKept` how far they go back. */
  readonly by: ReportBy;
  /** First and last UTC day, YYYY-MM-DD, both included. */
  readonly since?: string;
  readonly until?: string;
}

/** A report was asked for whose numbers are not counted. Its message says which ones are. */
export class NotCounted extends Error {
  override readonly name = 'NotCounted';
}

/**
 * One row of a report. Messages count when they were injected, clicks when they were made, and
 * first clicks where the first click was. Clicks that are neither people's nor automatic were
 * counted by a release that did not tell them apart.
 */
export interface ReportRow {
  /**
   * A UTC day or hour (YYYY-MM-DDTHH), a campaign, pathway, tag, recipients' domain, part or link,
   * or the place of a link (`html 3 Shop`). Empty where the message had none.
   */
  readonly key: string;
  /**
   * Messages and links tracked; absent in reports by link, position and part, where they are not
   * counted.
   */
  readonly messages?: number;
  readonly links?: number;
  /** Momentum's count_clicked: clicks. */
  readonly clicks: number;
  /** Momentum's count_raw_clicked: links clicked at least once, each counted once per message. */
  readonly rawClicks: number;
  /** Momentum's count_unique_clicked: messages of which at least one link was clicked. */
  readonly uniqueClicks: number;
  /** The same three, of people's clicks only. */
  readonly peopleClicks: number;
  readonly peopleRawClicks: number;
  readonly peopleUniqueClicks: number;
  readonly automaticClicks: number;
}

/**
 * Rows sorted by key, and their total; a message with several tags is in several rows. Raw and
 * unique clicks may be approximate, as Momentum's are.
 */
export interface Report {
  readonly rows: readonly ReportRow[];
  readonly total: ReportRow;
  /** Counts left out because they cannot be read: another program or damage put them there. */
  readonly unreadable: number;
}

/**
 * Skeletons of newsletters, for the click map. They hold no text of a single recipient, so nothing
 * of them is erased for one.
 */
export interface Previews {
  /**
   * Adds what copies of a newsletter have in common to what is kept of its campaign. Text is only
   * taken away, whatever else is added at the same time.
   * @param days for which it is kept
   */
  add(campaign: string, skeleton: string, days: number): Promise<void>;
  /**
   * The versions of a campaign's newsletter, those seen last first.
   * @throws Error where they are damaged
   */
  of(campaign: string): Promise<readonly PreviewVersion[]>;
  /** Removes those that are kept no longer, where the store does not do so by itself. */
  removeExpired(): Promise<void>;
}

export interface ForgetRequest {
  /** Compared without regard to case. */
  readonly address: string;
  /** Whether the recipient's links go on leading to their targets. */
  readonly keepLinks?: boolean;
  /** Called with the number of keys and events examined so far, and in total. */
  readonly progress?: (done: number, total: number) => void;
}

/** What was found about a recipient, and erased. */
export interface Forgotten {
  /**
   * Records of messages that went to nobody else. They are erased, with their links and the counts
   * of their clicks; where links are kept, the facts that identify the recipient are erased.
   */
  readonly records: number;
  /** Records of messages that went to others as well: the address was erased. */
  readonly shared: number;
  /** Click events, dead letters included. */
  readonly events: number;
  /** Records that cannot be read: they may be the recipient's. */
  readonly unreadable: number;
  /** Why the last of them cannot be read. */
  readonly whyUnreadable?: string;
}

/** The sealing keys of a host. */
export interface KeysOfHost {
  readonly fingerprint: string;
  /** The name under which other hosts learn of these keys; absent, they do not. */
  readonly announceAs?: string;
  /**
   * The name of the host, which is not compared with itself: its service may not have read these
   * keys yet.
   */
  readonly host?: string;
}

/** Sentences for operators. */
export interface StoreHealth {
  /** The servers that answer, and what they use. */
  readonly facts: readonly string[];
  /** Conditions that endanger links or clicks. */
  readonly warnings: readonly string[];
  /** Conditions that could not be examined. */
  readonly unknown: readonly string[];
}
