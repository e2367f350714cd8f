import { open } from 'node:fs/promises';
import type { ClickEvent, TrackEvent } from './click-event.ts';
import { journalPath, listJournal } from './journal-file.ts';
import { isEventLine, readLines } from './line-reader.ts';

const PORTION = 1_000;
/** What of an event says nothing about the recipient. */
const IMPERSONAL = [
  'type',
  'event_id',
  'timestamp',
  'campaign_id',
  'pathway',
  'delv_method',
  'click_tracking',
  'node_name',
  'repeat_count',
] as const satisfies readonly (keyof TrackEvent)[];

/**
 * Takes a recipient out of the journal's events. Each of his lines is overwritten where it stands with what remains of
 * it, filled up with spaces: its writer goes on appending, and its readers keep their place.
 *
 * @param address compared without regard to case
 * @returns how many events there were
 */
export async function forgetInJournal(folder: string, address: string): Promise<number> {
  const wanted = address.toLowerCase();
  let found = 0;
  for (const file of await listJournal(folder, ['events', 'pending'])) {
    const path = journalPath(folder, file);
    const handle = await open(path, 'r+');
    try {
      for (let offset = 0; ; ) {
        const lines = await readLines(path, offset, PORTION);
        for (const { text, end } of lines) {
          const rest = withoutRecipient(text, wanted);
          if (rest === undefined) continue;
          const line = Buffer.alloc(Buffer.byteLength(text), ' ');
          line.write(rest);
          await handle.write(line, 0, line.length, end - 1 - line.length);
          found++;
        }
        const last = lines.at(-1);
        if (last === undefined) break;
        offset = last.end;
      }
      await handle.datasync();
    } finally {
      await handle.close();
    }
  }
  return found;
}

/** @returns undefined for a line that is not about him; else what remains of it, never longer than it was */
function withoutRecipient(line: string, wanted: string): string | undefined {
  if (!line.includes(JSON.stringify(wanted)) || !isEventLine(line)) return undefined;
  const event = (JSON.parse(line) as ClickEvent).msys.track_event;
  if (event.rcpt_to !== wanted) return undefined;
  const rest = Object.fromEntries(IMPERSONAL.map((field) => [field, event[field]]));
  return JSON.stringify({ msys: { track_event: rest } });
}
