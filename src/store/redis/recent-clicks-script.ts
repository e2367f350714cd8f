import { getOrMake } from '../../lib/values.ts';
import { MAX_RECLASSIFIED } from '../recent-clicks.ts';
import { type ClickDraft, type Ending, MAX_BURST_LINKS } from '../store.ts';

/** Bursts and HEAD requests of one period; while there are more, the others are not remembered. */
const MAX_REMEMBERED = 50_000;
/**
 * Characters of the names of links, each with a dot behind it, and of event ids with their commas.
 */
const MAX_LINKS_LENGTH = MAX_BURST_LINKS * 9;
const MAX_IDS_LENGTH = MAX_RECLASSIFIED * 37 - 1;

/**
 * Keeps events, completed by what is known of the clicks before them: as `RecentClicks` does for
 * one process. Clicks and HEAD requests are fields of a hash, one hash for each period of the
 * length of a burst; it expires when the period after it has passed. The time is that of Redis,
 * which all hosts share.
 * KEYS: the stream, and the two hashes. ARGV: the most entries of the stream, the length of a
 * burst, the text before the list of reclassified events, the text at the end of an event; the
 * number of the different endings, and each: how many choices it has, of four arguments; then
 * entries: a text and the number of its endings, 0 for a complete event, -1 for the link of a HEAD
 * request. A click goes on with its event id, burst and link.
 */
export const RECORD = `
local within, list, finish = tonumber(ARGV[2]), ARGV[3], ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local period = math.floor(now / within)
local young, old = KEYS[2 + period % 2], KEYS[3 - period % 2]
local room = ${MAX_REMEMBERED} - redis.call('HLEN', young)
local function get(a, b)
  local found = redis.call('HMGET', young, a, b)
  if found[1] and found[2] then return found[1], found[2] end
  local before = redis.call('HMGET', old, a, b)
  return found[1] or before[1], found[2] or before[2]
end
local function set(field, value)
  if room > 0 or redis.call('HEXISTS', young, field) == 1 then
    room = room - redis.call('HSET', young, field, value)
  end
end
local at, events, endings = 5, {}, {}
local function take()
  at = at + 1
  return ARGV[at - 1]
end
for i = 1, tonumber(take()) do
  endings[i] = {}
  for choice = 1, tonumber(take()) do
    endings[i][choice] = { tonumber(take()), take(), take(), take() }
  end
end
local function complete(text, choices)
  local id, burst, link = take(), take(), take() .. '.'
  local since, links, ids = now, '', ''
  -- No burst has an empty name, so there is nothing under it.
  local before, head = get('b' .. burst, 'h' .. link)
  local a, b, c = string.match(before or '', '^(%d+) (%S*) (%S*)$')
  if a and now - a < within then since, links, ids = a, b, c end
  if not string.find(links, link, 1, true) and #links < ${MAX_LINKS_LENGTH} then
    links = links .. link
  end
  local followed, seen = #links / #link, now - (head or 0) < within and '1' or '0'
  local kind, members = 'person', ''
  for _, choice in ipairs(choices) do
    if choice[1] <= followed and choice[2] == seen then kind, members = choice[3], choice[4] end
  end
  text = text .. members
  if kind == 'burst' and ids ~= '' then
    text = text .. list .. '["' .. string.gsub(ids, ',', '","') .. '"]'
    ids = ''
  elseif kind == 'person' and #ids < ${MAX_IDS_LENGTH} and not string.find(ids, id, 1, true) then
    ids = ids == '' and id or ids .. ',' .. id
  end
  if burst ~= '' then set('b' .. burst, since .. ' ' .. links .. ' ' .. ids) end
  return text .. finish
end
while at <= #ARGV do
  local text, ending = take(), tonumber(take())
  if ending < 0 then set('h' .. text .. '.', now)
  elseif ending == 0 then events[#events + 1] = text
  else events[#events + 1] = complete(text, endings[ending]) end
end
redis.call('PEXPIREAT', young, string.format('%.0f', (period + 2) * within))
for _, event in ipairs(events) do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'event', event)
end`;

/** A HEAD request for a link. */
export interface HeadRequest {
  readonly head: string;
}

/** A complete event, a click, or a HEAD request. */
export type Entry = string | ClickDraft | HeadRequest;

/** The arguments of the script, from the third on. */
export function entryArguments(entries: readonly Entry[]): readonly (string | number)[] {
  const click = entries.find((entry) => typeof entry === 'object' && 'start' in entry);
  const { reclassifies, end } = (click ?? { reclassifies: '', end: '' }) as ClickDraft;
  // Clicks share endings, which are longer than all else of a click.
  const numbers = new Map<readonly Ending[], number>();
  const written: (string | number)[] = [];
  for (const entry of entries) {
    if (typeof entry === 'string') written.push(entry, 0);
    else if ('head' in entry) written.push(entry.head, -1);
    else {
      const { start, eventId, burst, link } = entry;
      const number = getOrMake(numbers, entry.endings, () => numbers.size + 1);
      written.push(start, number, eventId, burst, link);
    }
  }
  const endings = [...numbers.keys()].flatMap(choicesOf);
  return [reclassifies, end, numbers.size, ...endings, ...written];
}

function choicesOf(endings: readonly Ending[]): readonly (string | number)[] {
  const choices = endings.flatMap(({ links, headSeen, kind, members }) => [
    links,
    headSeen ? 1 : 0,
    kind,
    members,
  ]);
  return [endings.length, ...choices];
}
