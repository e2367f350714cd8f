import { setImmediate as nextTurn } from 'node:timers/promises';
import { DAY_SECONDS } from '../../lib/days.ts';
import { getOrMake } from '../../lib/values.ts';
import { addNumbers, clickNumbers, type Numbers, noNumbers } from '../counting.ts';
import type { Counted, Tallies } from '../tallies.ts';
import type { ClickedMessage, ClickPortion } from './click-portion.ts';
import type { RedisConnection } from './connection.ts';
import { FOREIGN, IS_FOREIGN } from './count-fields.ts';
import { IS_LATER } from './notes.ts';

/** Links in one command: Redis does nothing else meanwhile. */
const CHUNK = 100;
/** Sums that are moved in one turn of the event loop. */
const MOVED_AT_ONCE = 100;
/** A link that is clicked again after such a silence counts as clicked for the first time. */
const KEEP_SECONDS = 90 * DAY_SECONDS;
/**
 * One command for many messages.
 *
 * A message's hash has the digest of each clicked link and its number of clicks; with + before the
 * digest, the number of people's clicks; and in the field + that of people's clicks on any link.
 * The field @ has the portion that was marked last, and what was returned for it: marked again, it
 * returns the same and adds nothing, and so do earlier ones.
 * KEYS: the messages' hashes.
 * ARGV: seconds to keep them, the portion; then for each message the number of its links, and for
 * each link its digest, its number of clicks, and that of people's clicks.
 * Returns a text for each message, with a hexadecimal digit for each link: a sum. 1: it had not been
 * clicked before. 2: not by people. 4: no link of the message had. 8: not by people. And - where a
 * foreign value stands there.
 */
const MARK = `${IS_FOREIGN}${IS_LATER}
local at, portion, reply = 3, ARGV[2], {}
for index, key in ipairs(KEYS) do
  local last = at + 3 * tonumber(ARGV[at])
  local marked, known = redis.pcall('HGET', key, '@')
  if type(marked) == 'string' then marked, known = marked:match('^(%x+) (.*)$') end
  if known and (marked == portion or isLater(marked, portion)) then
    reply[index] = marked == portion and known or ''
  else
    local fresh, digits = redis.pcall('HLEN', key) == 0, {}
    for i = at + 1, last, 3 do
      local firsts = fresh and 4 or 0
      local function first(field, by, flag)
        if by == '0' or firsts < 0 then return end
        local now = redis.pcall('HINCRBY', key, field, by)
        if foreign(now) then firsts = -1
        elseif type(now) == 'table' then return now
        elseif now == tonumber(by) then firsts = firsts + flag end
      end
      local failed = first(ARGV[i], ARGV[i + 1], 1) or first('+' .. ARGV[i], ARGV[i + 2], 2)
        or first('+', ARGV[i + 2], 8)
      if failed then return failed end
      digits[#digits + 1] = firsts < 0 and '-' or string.format('%x', firsts)
      fresh = false
    end
    reply[index] = table.concat(digits)
    redis.pcall('HSET', key, '@', portion .. ' ' .. reply[index])
  end
  at = last + 1
  redis.call('EXPIRE', key, ARGV[1])
end
return reply`;

/**
 * Finds out which clicks are the first on their link and their message: a hash per message counts
 * the clicks on its links.
 */
export class FirstClicks {
  readonly #connection: RedisConnection;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  /**
   * Marks the links of a portion as clicked, some at a time.
   * @param id of the portion
   * @param tallies receive the clicks
   * @returns a problem that will not go away
   * @throws StoreUnavailable; marked again, the portion gives the same
   */
  async mark(
    { messages }: ClickPortion,
    id: string,
    tallies: Tallies,
  ): Promise<string | undefined> {
    const sums = new ClickSums();
    let problem: string | undefined;
    for (let start = 0; start < messages.length; ) {
      const portion = portionOf(messages, start);
      start += portion.length;
      // In a cluster the keys of one command must lie on one node.
      const commands = this.#connection.isCluster ? portion.map((one) => [one]) : [portion];
      const replies = (await Promise.all(commands.map((some) => this.#mark(id, some)))).flat();
      // In the order of the portion, whichever node answers first: the rows of a table are added in
      // pieces, which are to be the same where they are added again.
      for (const [at, [, links]] of portion.entries()) {
        const digits = replies[at] ?? '';
        if (digits.includes('-')) problem = `${FOREIGN}: first clicks are not known`;
        addLinks(links, digits, sums);
      }
    }
    await sums.moveTo(tallies);
    return problem;
  }

  async #mark(id: string, messages: readonly ClickedMessage[]): Promise<readonly string[]> {
    const keys = messages.map(([messageId]) => this.#connection.keys.clicked(messageId));
    const args: (string | number)[] = [KEEP_SECONDS, id];
    for (const [, links] of messages) {
      args.push(links.length);
      for (const { digest, clicks } of links) {
        args.push(digest, clicks.people + clicks.automatic, clicks.people);
      }
    }
    return (await this.#connection.run((client) =>
      client.eval(MARK, keys.length, ...keys, ...args),
    )) as readonly string[];
  }
}

/** @param digits what the script returned for the links of a message */
function addLinks(links: ClickedMessage[1], digits: string, sums: ClickSums): void {
  for (const [at, { counted, clicks }] of links.entries()) {
    const firsts = Number.parseInt(digits.charAt(at), 16) || 0;
    const is = (flag: number) => (firsts & flag) !== 0;
    sums.add(
      counted,
      clickNumbers(clicks, {
        link: is(1),
        linkOfPeople: is(2),
        message: is(4),
        messageOfPeople: is(8),
      }),
    );
  }
}

/**
 * Adds up clicks that are counted alike: a click counts in some twenty rows, and many clicks on one
 * newsletter in the same ones.
 */
class ClickSums {
  #sums = new Map<string, { readonly counted: Counted; readonly numbers: Numbers }>();

  add(counted: Counted, numbers: Partial<Numbers>): void {
    const { hour, campaign, pathway, recipientDomain, link } = counted;
    let key = `${hour}\0${link?.part}\0${link?.position}\0${link?.label}\0`;
    key += `${campaign}\0${pathway}\0${recipientDomain}`;
    for (const tag of counted.tags) key += `\0${tag}`;
    const sum = getOrMake(this.#sums, key, () => ({ counted, numbers: noNumbers() }));
    addNumbers(sum.numbers, numbers);
  }

  async moveTo(tallies: Tallies): Promise<void> {
    const sums = this.#sums;
    this.#sums = new Map();
    let moved = 0;
    for (const { counted, numbers } of sums.values()) {
      tallies.add(counted, numbers);
      if (++moved % MOVED_AT_ONCE === 0) await nextTurn();
    }
  }
}

/** The messages from `start` on whose links fit into one command, and at least one. */
function portionOf(messages: readonly ClickedMessage[], start: number): ClickedMessage[] {
  let links = 0;
  let end = start;
  for (const [, { length }] of messages.slice(start, start + CHUNK)) {
    links += length;
    if (end > start && links > CHUNK) break;
    end++;
  }
  return messages.slice(start, end);
}
