import { type Static, Type } from 'typebox';
import { type Detail, shownTarget } from '../lib/logger.ts';
import { parseJson } from '../lib/values.ts';
import { countedFactsOfEvent } from '../link/counted.ts';
import { RAW_URL } from '../link/message-facts.ts';
import type { ReportFilter } from '../store/counters.ts';
import { type CountedNames, countedNames, countsIn } from '../store/engagement.ts';
import type { EventFields, StoredEvent } from '../store/events.ts';
import { shownName } from './shown-reports.ts';

/** Characters of a text that Live shows: senders and readers choose how long most of them are. */
const MAX_TEXT = 300;
/** Texts of a list that Live shows. */
const MAX_TEXTS = 20;

const text = (description: string) =>
  Type.Optional(Type.String({ maxLength: MAX_TEXT, description }));
const count = (description: string) => Type.Optional(Type.Integer({ minimum: 0, description }));

/** What Live shows of a click event whatever `log { detail }` is. Nothing here is about a person. */
const ALWAYS = {
  event_id: Type.String({ minLength: 1, maxLength: MAX_TEXT }),
  timestamp: Type.String({ pattern: '^[0-9]{1,12}$', description: 'Unix seconds.' }),
  is_automatic: Type.Boolean({ description: 'Whether a program made the click.' }),
  automation_reasons: Type.Optional(Type.Array(Type.String(), { maxItems: MAX_TEXTS })),
  type: text('`click` or `link_unsubscribe`.'),
  repeat_count: count('How many clicks this stands for, where it is more than one.'),
  message_id: text('The id that clickmilter gave the message.'),
  campaign_id: text('The campaign.'),
  pathway: text("The message's pathway."),
  target_link_name: text(
    'The name of the link; absent for one without a name, and for a URL without `detail = full`.',
  ),
  part: text('The part of the message that the link is in.'),
  link_position: count('The place of the link among the tracked links of its message.'),
};

/** The fields that the log shows from `detail = domain` on: hosts, and the domains of addresses. */
const FROM_DOMAIN = {
  target_host: text('The host of the target; not with `detail = none`.'),
  recipient_domain: text('The domain of the recipients; not with `detail = none`.'),
};

/** The fields that may tell who the recipient or the reader is. */
const ONLY_FULL = {
  target_link_url: text('The target; with `detail = full`.'),
  redirected_to: text('Where a retarget has the link lead; with `detail = full`.'),
  rcpt_to: text('The recipient; with `detail = full`.'),
  subject: text('The subject of the message; with `detail = full`.'),
  ip_address: text("The client's address; with `detail = full`."),
  user_agent: text('The User-Agent header; with `detail = full`.'),
};

/** A click as Live shows it, under the names of click events: nothing else of an event is shown. */
export const LiveClick = Type.Object({ ...ALWAYS, ...FROM_DOMAIN, ...ONLY_FULL });
export type LiveClick = Static<typeof LiveClick>;

/** The fields of a click that each `detail` shows, in their order. */
export const LIVE_FIELDS: Readonly<Record<Detail, readonly string[]>> = {
  none: Object.keys(ALWAYS),
  domain: Object.keys({ ...ALWAYS, ...FROM_DOMAIN }),
  full: Object.keys(LiveClick.properties),
};

/** A click with everything that any `detail` shows of it. */
export interface FeedClick {
  readonly shown: LiveClick;
  /** The facts that filters compare. */
  readonly names: CountedNames;
  /** How many clicks it stands for. */
  readonly count: number;
  /** The events of earlier clicks that turn out to be automatic. */
  readonly reclassifies: readonly string[];
}

/** Reads an event. @returns undefined for one without id, time or class */
export function readClick(stored: StoredEvent): FeedClick | undefined {
  const fields = stored.fields ?? fieldsIn(stored.event);
  const target = fields['target_link_url'];
  const host = typeof target === 'string' ? shownTarget('domain', target).host : undefined;
  const name = fields['target_link_name'];
  const known: Readonly<Record<string, unknown>> = {
    ...fields,
    target_host: host,
    target_link_name: name === RAW_URL ? undefined : name,
  };
  const shown = Object.entries(LiveClick.properties).flatMap(([name, { type }]) => {
    const value = valid(type, known[name]);
    return value === undefined ? [] : [[name, value] as const];
  });
  const click = Object.fromEntries(shown) as Partial<LiveClick>;
  if (!click.event_id || click.is_automatic === undefined) return undefined;
  if (!/^\d{1,12}$/.test(click.timestamp ?? '')) return undefined;
  return {
    shown: click as LiveClick,
    names: countedNames(countedFactsOfEvent(fields)),
    count: Math.max(1, click.repeat_count ?? 1),
    reclassifies: textsOf(fields['reclassifies']) ?? [],
  };
}

/**
 * Tells which clicks a filter lets through, as far as a viewer may know: tags may tell who somebody
 * is, and only `detail = full` shows such facts.
 */
export function letThrough(filter: ReportFilter, detail: Detail): (click: FeedClick) => boolean {
  if (filter.tag !== undefined && detail !== 'full') return () => false;
  const isIn = countsIn(filter);
  return ({ names }) => isIn(names);
}

/** The part of a click that a viewer may see. */
export function limitClick({ shown }: FeedClick, detail: Detail): LiveClick {
  const allowed = LIVE_FIELDS[detail];
  const target_link_name = shownName(shown.target_link_name, detail);
  return Object.fromEntries(
    Object.entries({ ...shown, target_link_name }).filter(
      ([name, value]) => allowed.includes(name) && value !== undefined,
    ),
  ) as LiveClick;
}

/** A value of the type that its field has, and no longer than is shown. */
function valid(type: 'string' | 'integer' | 'boolean' | 'array', value: unknown): unknown {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? cut(value) : undefined;
    case 'integer':
      return Number.isSafeInteger(value) && Number(value) >= 0 ? value : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'array':
      return textsOf(value);
  }
}

function textsOf(value: unknown): readonly string[] | undefined {
  const isList = Array.isArray(value) && value.every((one) => typeof one === 'string');
  return isList ? value.slice(0, MAX_TEXTS).map(cut) : undefined;
}

function cut(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text;
}

function fieldsIn(event: string): EventFields {
  return objectOf(objectOf(objectOf(parseJson(event))['msys'])['track_event']);
}

function objectOf(value: unknown): EventFields {
  return typeof value === 'object' && value !== null ? (value as EventFields) : {};
}
