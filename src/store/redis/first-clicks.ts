import { setImmediate as nextTurn } from 'node:timers/promises';
import { DAY_SECONDS, dayAndHour } from '../../lib/days.ts';
import { getOrMake } from '../../lib/values.ts';
import type { ClickClass, CountedClick } from '../counters.ts';
import {
  addClasses,
  addNumbers,
  type ByClass,
  byClass,
  clickNumbers,
  countedKeys,
  countedText,
  type Numbers,
  noNumbers,
} from '../counting.ts';
import type { Counted, Tallies } from '../tallies.ts';
import type { RedisConnection } from './connection.ts';
import { FOREIGN, IS_FOREIGN } from './count-fields.ts';
import { shortDigest } from './keys.ts';

/** Links in one command: Redis does nothing else meanwhile. */
const CHUNK = 100;
/** Sums that are moved in one turn of the event loop. */
const MOVED_AT_ONCE = 100;
/**
 * Links of messages that wait while Redis is away; later clicks are counted, but not as the first
 * on their link.
 */
const MAX_WAITING = 20_000;
/** A link that is clicked again after such a silence counts as clicked for the first time. */
const KEEP_SECONDS = 90 * DAY_SECONDS;
/**
 * One command for many messages. Where two hosts see the first clicks on a message at the same
 * moment, one of them learns that it was the first.
 *
 * A message's hash has the digest of each clicked link and its number of clicks; with + before the
 * digest, the number of people's clicks; and in the field + that of people's clicks on any link.
 * KEYS: the messages' hashes.
 * ARGV: seconds to keep them; then for each message the number of its links, and for each link its
 * digest, its number of clicks, and that of people's clicks.
 * Returns a sum for each link. 1: it had not been clicked before. 2: not by people. 4: no link of
 * the message had. 8: not by people. -1: a foreign value stands there.
 */
const MARK = `${IS_FOREIGN}
local at, reply = 2, {}
for _, key in ipairs(KEYS) do
  local fresh = redis.pcall('HLEN', key) == 0
  local last = at + 3 * tonumber(ARGV[at])
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
    reply[#reply + 1] = firsts
    fresh = false
  end
  at = last + 1
  redis.call('EXPIRE', key, ARGV[1])
end
return reply`;

/** Clicks on one link of a message, at one place of it and within one hour. */
interface ClickedLink {
  readonly digest: string;
  readonly counted: Counted;
  clicks: ByClass;
}

/**
 * Finds out which clicks are the first on their link and their message: a hash per message counts
 * the clicks on its links.
 */
export class FirstClicks {
  readonly #connection: RedisConnection;
  readonly #tallies: Tallies;
  /** The clicked links of each message. */
  #waiting = new Map<string, Map<string, ClickedLink>>();
  /** How many links these are. */
  #links = 0;
  readonly #sums = new ClickSums();
  /** Whether a portion could not be marked. */
  #isStopped = false;

  /** @param tallies receive the clicks, each once it is known whether it is a first one */
  constructor(connection: RedisConnection, tallies: Tallies) {
    this.#connection = connection;
    this.#tallies = tallies;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  add(click: CountedClick, by: ClickClass): void {
    const { messageId, link, part, position } = click;
    const { campaign, pathway, tags, recipientDomain } = countedKeys(click);
    const { day, hour } = dayAndHour(click.time);
    const place = { label: countedText(link), part, position };
    this.#gather(messageId, {
      digest: shortDigest(link),
      counted: { day, hour, campaign, pathway, tags, recipientDomain, link: place },
      clicks: byClass(click, by),
    });
  }

  #gather(messageId: string, clicked: ClickedLink): void {
    const { digest, counted, clicks } = clicked;
    const key = `${digest} ${counted.link?.part} ${counted.link?.position} ${counted.hour}`;
    let message = this.#waiting.get(messageId);
    const before = message?.get(key);
    if (before !== undefined) {
      before.clicks = addClasses(before.clicks, clicks);
      return;
    }
    if (this.#links >= MAX_WAITING) {
      this.#tallies.add(counted, clickNumbers(clicks));
      return;
    }
    if (message === undefined) {
      message = new Map();
      this.#waiting.set(messageId, message);
    }
    message.set(key, clicked);
    this.#links++;
  }

  /**
   * Marks the links of all clicks that wait, a portion at a time, until a portion cannot be marked.
   * @returns the last problem; the clicks that could not be marked wait on
   */
  async mark(): Promise<string | undefined> {
    const messages = [...this.#waiting];
    this.#waiting = new Map();
    this.#links = 0;
    this.#isStopped = false;
    let problem: string | undefined;
    for (let start = 0; start < messages.length; ) {
      const portion = portionOf(messages, start);
      start += portion.length;
      // In a cluster the keys of one command must lie on one node.
      const commands = this.#connection.isCluster ? portion.map((one) => [one]) : [portion];
      for (const found of await Promise.all(commands.map((command) => this.#mark(command)))) {
        problem = found ?? problem;
      }
      if (this.#isStopped) {
        this.#putBack(messages.slice(start));
        break;
      }
    }
    await this.#sums.moveTo(this.#tallies);
    return problem;
  }

  async #mark(messages: readonly ClickedMessage[]): Promise<string | undefined> {
    const keys = messages.map(([messageId]) => this.#connection.keys.clicked(messageId));
    const args: (string | number)[] = [KEEP_SECONDS];
    for (const [, links] of messages) {
      args.push(links.size);
      for (const { digest, clicks } of links.values()) {
        args.push(digest, clicks.people + clicks.automatic, clicks.people);
      }
    }
    let reply: readonly number[];
    try {
      reply = (await this.#connection.run((client) =>
        client.eval(MARK, keys.length, ...keys, ...args),
      )) as number[];
    } catch (error) {
      this.#isStopped = true;
      this.#putBack(messages);
      return (error as Error).message;
    }
    let at = 0;
    for (const [, links] of messages) {
      for (const { counted, clicks } of links.values()) {
        const firsts = Math.max(0, reply[at++] ?? 0);
        const is = (flag: number) => (firsts & flag) !== 0;
        this.#sums.add(
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
    return reply.includes(-1) ? `${FOREIGN}: first clicks are not known` : undefined;
  }

  #putBack(messages: readonly ClickedMessage[]): void {
    for (const [messageId, links] of messages) {
      for (const clicked of links.values()) this.#gather(messageId, clicked);
    }
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

type ClickedMessage = readonly [messageId: string, links: ReadonlyMap<string, ClickedLink>];

/** The messages from `start` on whose links fit into one command, and at least one. */
function portionOf(messages: readonly ClickedMessage[], start: number): ClickedMessage[] {
  let links = 0;
  let end = start;
  for (const [, { size }] of messages.slice(start, start + CHUNK)) {
    links += size;
    if (end > start && links > CHUNK) break;
    end++;
  }
  return messages.slice(start, end);
}
