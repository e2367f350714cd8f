import { getOrMake } from '../../lib/values.ts';
import { type ClickDraft, type Ending, MAX_BURST_LINKS } from '../events.ts';
import { MAX_RECLASSIFIED } from '../recent-clicks.ts';

/** Bursts and HEAD requests of one period; while there are more, the others are not remembered. */
const MAX_REMEMBERED = 50_000;
/** Characters of the name of a link, with a dot behind it. */
const LINK_LENGTH = 9;
/** Characters of event ids with commas between them. */
const MAX_IDS_LENGTH = MAX_RECLASSIFIED * 37 - 1;

/**
 * Keeps events, completed by what is known of the clicks before them: as `RecentClicks` does for
 * one process. Clicks and HEAD requests are fields of a hash, one hash for each period of the
 * length of a burst; it expires when the period after it has passed. The time is that of Redis,
 * which all hosts share.
 * KEYS: the stream, and the two hashes. ARGV: the most entries of the stream, the length of a
 * burst, the text before the list of reclassified events, the text at the end of an event; the
 * number of the different endings, and each: how many choices it has, of four arguments; then
 * entries: a text and the number of its endings, 0 for a complete event, -1 for the field of a HEAD
 * request. A click goes on with its event id, and the fields of its burst and its link.
 *
 * A burst is the time of its first click, its links and the ids of its people's events, with blanks
 * between the three. Lua hashes each byte of every string that it makes, and a call costs more than
 * a field, so all fields are read by one call, and long strings are made only where they change.
 */
export const RECORD = `
local call, args, find, sub = redis.call, ARGV, string.find, string.sub
local within, list, finish = tonumber(args[2]), args[3], args[4]
local time = call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local period = math.floor(now / within)
local young, old = KEYS[2 + period % 2], KEYS[3 - period % 2]
local at, endings = 6, {}
for i = 1, tonumber(args[5]) do
  local choices, last = {}, at + 4 * tonumber(args[at])
  for choice = at + 1, last, 4 do
    choices[#choices + 1] = {
      tonumber(args[choice]), args[choice + 1], args[choice + 2], args[choice + 3]
    }
  end
  endings[tostring(i)], at = choices, last + 1
end

local first, fields = at, {}
while at <= #args do
  local count, ending = #fields, args[at + 1]
  if ending == '-1' then fields[count + 1] = args[at]
  elseif ending ~= '0' then
    fields[count + 1], fields[count + 2] = args[at + 3], args[at + 4]
    at = at + 3
  end
  at = at + 2
end
local known, isYoung, changed = {}, {}, {}
local function read(key, names)
  local missing = {}
  local values = #names > 0 and call('HMGET', key, unpack(names)) or {}
  for i, value in ipairs(values) do
    known[names[i]] = value or nil
    if not value then missing[#missing + 1] = names[i]
    elseif key == young then isYoung[names[i]] = true end
  end
  return missing
end
read(old, read(young, fields))
local room = ${MAX_REMEMBERED} - call('HLEN', young)
local function set(field, value)
  if not isYoung[field] then
    if room <= 0 then return end
    room, isYoung[field] = room - 1, true
  end
  known[field], changed[field] = value, true
end

-- The clock may have been set back.
local function isRecent(time) return math.abs(now - time) < within end
local function complete(text, choices, id, field, head)
  local link, burst, a, b = sub(head, 2), known[field]
  if burst then
    a = find(burst, ' ', 1, true)
    b = a and find(burst, ' ', a + 1, true)
    local since = b and tonumber(sub(burst, 1, a - 1))
    if not since or not isRecent(since) then burst = nil end
  end
  local followed = burst and (b - a - 1) / ${LINK_LENGTH} or 0
  local isNew = followed < ${MAX_BURST_LINKS} and not (burst and find(burst, link, a, true))
  if isNew then followed = followed + 1 end
  local seen = known[head] and isRecent(known[head]) and '1' or '0'
  local kind, members = 'person', ''
  for i = #choices, 1, -1 do
    local choice = choices[i]
    if choice[1] <= followed and choice[2] == seen then
      kind, members = choice[3], choice[4]
      break
    end
  end
  local idsLength, reclassified, ids = burst and #burst - b or 0, ''
  if kind == 'burst' and idsLength > 0 and idsLength <= ${MAX_IDS_LENGTH}
    and not find(burst, '[^%x,-]', b + 1) then
    local quoted = string.gsub(sub(burst, b + 1), ',', '","')
    reclassified, ids = list .. '["' .. quoted .. '"]', ''
  elseif kind == 'person' and idsLength == 0 then ids = id
  elseif kind == 'person' and idsLength < ${MAX_IDS_LENGTH}
    and not find(burst, id, b + 1, true) then ids = sub(burst, b + 1) .. ',' .. id end
  -- No burst has an empty name.
  if field ~= 'b' and (isNew or ids) then
    local links = (burst and sub(burst, 1, b - 1) or now .. ' ') .. (isNew and link or '')
    set(field, links .. ' ' .. (ids or burst and sub(burst, b + 1) or ''))
  end
  return text .. members .. reclassified .. finish
end
local events = {}
at = first
while at <= #args do
  local text, ending = args[at], args[at + 1]
  if ending == '-1' then set(text, now)
  elseif ending == '0' then events[#events + 1] = text
  else
    events[#events + 1] = complete(text, endings[ending], args[at + 2], args[at + 3], args[at + 4])
    at = at + 3
  end
  at = at + 2
end

local written = {}
for field in pairs(changed) do
  local count = #written
  written[count + 1], written[count + 2] = field, known[field]
end
if #written > 0 then
  call('HSET', young, unpack(written))
  call('PEXPIREAT', young, string.format('%.0f', (period + 2) * within))
end
for i = 1, #events do
  call('XADD', KEYS[1], 'MAXLEN', '~', args[1], '*', 'event', events[i])
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
    else if ('head' in entry) written.push(fieldOfLink(entry.head), -1);
    else {
      const { start, eventId, burst, link } = entry;
      const number = getOrMake(numbers, entry.endings, () => numbers.size + 1);
      written.push(start, number, eventId, `b${burst}`, fieldOfLink(link));
    }
  }
  const endings = [...numbers.keys()].flatMap(choicesOf);
  return [reclassifies, end, numbers.size, ...endings, ...written];
}

/** The field of a HEAD request; without its first character, a link in a burst. */
function fieldOfLink(link: string): string {
  return `h${link}.`;
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
