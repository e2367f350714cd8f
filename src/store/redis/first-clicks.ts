import { countedText } from '../counting.ts';
import type { CountedClick } from '../store.ts';
import type { RedisConnection } from './connection.ts';
import { FOREIGN, IS_FOREIGN, linkDigest } from './count-fields.ts';
import type { DayCounts } from './day-counts.ts';

/** Links in one command: Redis does nothing else meanwhile. */
const CHUNK = 200;
/**
 * Links of messages that wait while Redis is away; later clicks are counted, but not as the first
 * on their link.
 */
const MAX_WAITING = 20_000;
/** A link that is clicked again after such a silence counts as clicked for the first time. */
const KEEP_SECONDS = 90 * 86_400;
/**
 * One command for many messages. Where two hosts see the first clicks on a message at the same
 * moment, one of them learns that it was the first. KEYS: the messages' hashes; ARGV: seconds to
 * keep them, then for each message the number of links, and each link and its number of clicks.
 * Returns for each message how many of its links had been clicked before, and for each link how
 * often it has been clicked by now; -1 where a foreign value stands there.
 */
const MARK = `${IS_FOREIGN}
local at, reply = 2, {}
local function add(...)
  local number = redis.pcall(...)
  if foreign(number) then number = -1 end
  reply[#reply + 1] = number
  return number
end
for _, key in ipairs(KEYS) do
  local before = add('HLEN', key)
  local last = at + 2 * tonumber(ARGV[at])
  for i = at + 1, last, 2 do
    local now = add('HINCRBY', key, ARGV[i], ARGV[i + 1])
    if type(now) == 'table' then return now end
  end
  at = last + 1
  redis.call('EXPIRE', key, ARGV[1])
end
return reply`;

type ClickFacts = Omit<CountedClick, 'link' | 'count'>;

interface ClickedLink {
  readonly text: string;
  count: number;
}

/** Clicks on one message that wait, by the digest of the link. */
type ClickedMessage = ClickFacts & { readonly links: Map<string, ClickedLink> };

/**
 * Finds out which clicks are the first on their link and their message: a hash per message counts
 * the clicks on its links.
 */
export class FirstClicks {
  readonly #connection: RedisConnection;
  readonly #counts: DayCounts;
  /** By message, and by day for a message that was clicked on two days. */
  #waiting = new Map<string, ClickedMessage>();
  /** How many links these are. */
  #links = 0;
  /** Whether a portion could not be marked. */
  #isStopped = false;

  /** @param counts receives the clicks, each once it is known whether it is a first one */
  constructor(connection: RedisConnection, counts: DayCounts) {
    this.#connection = connection;
    this.#counts = counts;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  add({ link, count, ...click }: CountedClick): void {
    this.#gather(click, linkDigest(link), { text: countedText(link), count });
  }

  #gather(click: ClickFacts, digest: string, clicked: ClickedLink): void {
    const { day, messageId } = click;
    let id = messageId;
    let message = this.#waiting.get(id);
    if (message !== undefined && message.day !== day) {
      id = `${day} ${messageId}`;
      message = this.#waiting.get(id);
    }
    const before = message?.links.get(digest);
    if (before !== undefined) {
      before.count += clicked.count;
      return;
    }
    if (this.#links >= MAX_WAITING) {
      this.#counts.clicked(click, clicked.text, clicked.count);
      return;
    }
    if (message === undefined) {
      message = { ...click, links: new Map() };
      this.#waiting.set(id, message);
    }
    message.links.set(digest, clicked);
    this.#links++;
  }

  /**
   * Marks the links of all clicks that wait, a portion at a time, until a portion cannot be marked.
   * @returns the last problem; the clicks that could not be marked wait on
   */
  async mark(): Promise<string | undefined> {
    const messages = [...this.#waiting.values()];
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
    return problem;
  }

  async #mark(messages: readonly ClickedMessage[]): Promise<string | undefined> {
    const keys = messages.map(({ messageId }) => this.#connection.keys.clicked(messageId));
    const args: (string | number)[] = [KEEP_SECONDS];
    for (const { links } of messages) {
      args.push(links.size);
      for (const [digest, { count }] of links) args.push(digest, count);
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
    for (const message of messages) {
      let isFirst = reply[at++] === 0;
      for (const { text, count } of message.links.values()) {
        const rawClicks = reply[at++] === count ? 1 : 0;
        this.#counts.clicked(message, text, count, rawClicks, isFirst ? 1 : 0);
        isFirst = false;
      }
    }
    return reply.includes(-1) ? `${FOREIGN}: first clicks are not known` : undefined;
  }

  #putBack(messages: readonly ClickedMessage[]): void {
    for (const { links, ...click } of messages) {
      for (const [digest, clicked] of links) this.#gather(click, digest, clicked);
    }
  }
}

/** The messages from `start` on whose links fit into one command, and at least one. */
function portionOf(messages: readonly ClickedMessage[], start: number): ClickedMessage[] {
  let links = 0;
  let end = start;
  for (const message of messages.slice(start, start + CHUNK)) {
    links += message.links.size;
    if (end > start && links > CHUNK) break;
    end++;
  }
  return messages.slice(start, end);
}
