import { isEventLine, type StoredEvent } from '../events.ts';

/**
 * Entries read in one command. Redis knows no limit in bytes, so this one bounds what an answer can hold: events have a
 * bound, though those of other programs and earlier releases may be larger.
 */
export const ENTRIES_AT_ONCE = 32;

/** An entry as RESP2 gives it: id, and its fields in pairs; no fields where it was trimmed away meanwhile. */
type Entry = readonly [id: string, fields: readonly string[] | null];

/**
 * The entries of XREAD's or XREADGROUP's answer about one stream; an entry that is gone, or none of ours, has an empty
 * event.
 */
export function eventsOfFirstStream(reply: unknown): StoredEvent[] {
  const [stream] = (reply ?? []) as readonly (readonly [string, readonly Entry[]])[];
  const events = eventsOf(stream?.[1] ?? []);
  return events.map(({ id, event }) => ({ id, event: isEventLine(event) ? event : '' }));
}

/** The entries of XRANGE's or XCLAIM's answer. */
export function eventsOf(entries: unknown): StoredEvent[] {
  return (entries as readonly Entry[]).map(([id, fields]) => {
    const name = fields?.findIndex((text, i) => i % 2 === 0 && text === 'event') ?? -1;
    return { id, event: (name >= 0 && fields?.[name + 1]) || '' };
  });
}
