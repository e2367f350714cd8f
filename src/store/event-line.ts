import { isRecord, parseJson } from '../lib/values.ts';
import { seconds } from '../link/fact.ts';
import type { EventFields } from './events.ts';

/**
 * Reads the fields of an event.
 * @returns undefined for a line that is not an event, such as a torn write or a line of another
 * program
 */
export function fieldsOfEvent(text: string): EventFields | undefined {
  const event = text.startsWith('{"msys":') ? parseJson(text) : undefined;
  const msys = isRecord(event) ? event['msys'] : undefined;
  const fields = isRecord(msys) ? msys['track_event'] : undefined;
  return isRecord(fields) ? fields : undefined;
}

export function isEventLine(text: string): boolean {
  return fieldsOfEvent(text) !== undefined;
}

/** @param address in lower case */
export function isEventAbout(address: string, text: string): boolean {
  // Most lines need not be parsed.
  return text.includes(JSON.stringify(address)) && fieldsOfEvent(text)?.['rcpt_to'] === address;
}

/**
 * When the link was followed, in Unix milliseconds.
 * @returns undefined for a line that does not say so
 */
export function timeOfEvent(text: string): number | undefined {
  const fields = fieldsOfEvent(text);
  return fields && timeIn(fields);
}

/** When the link was followed, by the fields of its event. */
export function timeIn(fields: EventFields): number | undefined {
  const { timestamp } = fields;
  const time = typeof timestamp === 'string' && /^\d{1,12}$/.test(timestamp) && Number(timestamp);
  return seconds.isValid(time) ? time * 1000 : undefined;
}
