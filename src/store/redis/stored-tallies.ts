import { DAY_SECONDS, dayOf } from '../../lib/days.ts';
import type { ReportScope } from '../counters.ts';
import { formatNumbers, METRICS, type Numbers, OTHER_KEY } from '../counting.ts';
import { KEEP_DAYS, type Rows, type Scope, sizeOf, type Table, Tallies } from '../tallies.ts';
import type { RedisConnection } from './connection.ts';
import { FOREIGN, IS_FOREIGN, LAST_PORTION } from './count-fields.ts';
import { IS_LATER } from './notes.ts';

/** Rows in one command: Redis does nothing else meanwhile. */
const CHUNK = 100;
/** Commands that are under way at a time: clicks that come now wait behind them. */
const COMMANDS = 2;
/** Rows that wait while Redis is away. */
const MAX_WAITING = 50_000;
/**
 * Campaigns, pathways and tags for which this process adds to tables of their own in a day, and
 * rows that these tables get. Further ones count for all mail only.
 */
const BUDGETS: Readonly<Record<ReportScope, { readonly names: number; readonly rows: number }>> = {
  campaign: { names: 5_000, rows: 50_000 },
  pathway: { names: 500, rows: 10_000 },
  tag: { names: 500, rows: 10_000 },
};
/**
 * Adds numbers to rows. A row is a field of its table's hash, and holds its numbers in the order of
 * METRICS with commas between them, without the zeros at its end. A later release may have more
 * numbers, which stay.
 *
 * A portion of clicks is added once. The rows of a table that it adds to are pieces with numbers, in
 * their order, and a field of the table that no row can have names the portion and its last piece.
 * A piece that was added is passed over, and so are all of earlier portions; one whose predecessor
 * was not added is an error.
 *
 * KEYS: the tables.
 * ARGV: the portion, or nothing. Then for each table the seconds to keep it, the most rows it may
 * have, where the numbers of others go, the number of the piece, the number of rows that follow, and
 * each row and its numbers. No row comes twice. Numbers of rows for which there is no room go nowhere
 * (0), to the row of others (1), or to that of others at the same place (2).
 * Returns how many rows could not be added because of a foreign value, and how many are new in each
 * table.
 */
const ADD = `${IS_FOREIGN}${IS_LATER}
local known, parsed = '^(%d+)' .. string.rep(',?(%d*)', ${METRICS.length - 1}) .. '(.*)$', {}
local function parse(text)
  if not parsed[text] then
    parsed[text] = {}
    for number in text:gmatch('%d+') do table.insert(parsed[text], tonumber(number)) end
  end
  return parsed[text]
end
local function sum(old, new)
  local sums, more, last = { old:match(known) }, parse(new), 0
  local rest = table.remove(sums)
  for i, number in ipairs(sums) do
    if number == '' then number = '0' end
    if (more[i] or 0) > 0 then number = string.format('%.0f', number + more[i]) end
    sums[i] = number
    if number ~= '0' or rest ~= '' then last = i end
  end
  return table.concat(sums, ',', 1, last) .. rest
end
local portion, at, foreigners, added = ARGV[1], 2, 0, {}
local function isBad(old)
  if not old or #old <= 200 and old:find('^%d[%d,]*$') then return false end
  foreigners = foreigners + 1
  return true
end
local function add(key, most, others, piece, count)
  local size = redis.pcall('HLEN', key)
  if foreign(size) then
    foreigners = foreigners + count
    return
  end
  if type(size) == 'table' then return size end
  local names, written, without = { '${LAST_PORTION}' }, {}, {}
  for i = 1, count do names[i + 1] = ARGV[at + 3 + 2 * i] end
  local olds = redis.call('HMGET', key, unpack(names))
  if olds[1] then size = size - 1 end
  if portion ~= '' then
    local last, before = (olds[1] or ''):match('^(%x+) (%d+)$')
    if last and isLater(last, portion) then return end
    before = last == portion and tonumber(before) or -1
    if before >= piece then return end
    if before < piece - 1 then return redis.error_reply('ERR the piece before was not added') end
    written = { '${LAST_PORTION}', portion .. ' ' .. piece }
  end
  local function set(name, numbers)
    local place = #written
    written[place + 1], written[place + 2] = name, numbers
  end
  for i = 1, count do
    local name, old, new = names[i + 1], olds[i + 1], ARGV[at + 4 + 2 * i]
    if isBad(old) then -- It stays.
    elseif old then set(name, sum(old, new))
    elseif size < most then
      size, added[#added] = size + 1, added[#added] + 1
      set(name, new)
    elseif others > 0 then
      local other = (others == 2 and name:match('^%S+ [%d-]+ ') or '') .. '${OTHER_KEY}'
      without[other] = without[other] and sum(without[other], new) or new
    end
  end
  if #written > 0 then redis.call('HSET', key, unpack(written)) end
  for other, new in pairs(without) do
    local old = redis.call('HGET', key, other)
    if not isBad(old) then redis.call('HSET', key, other, old and sum(old, new) or new) end
  end
  redis.call('EXPIRE', key, ARGV[at])
end
for which, key in ipairs(KEYS) do
  local count = tonumber(ARGV[at + 4])
  added[which] = 0
  local failed = add(
    key, tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3]), count
  )
  if failed then return failed end
  at = at + 5 + 2 * count
end
return { foreigners, added }`;

/** Rows of one table in one command. */
interface Piece {
  readonly table: Table;
  readonly number: number;
  readonly rows: readonly (readonly [key: string, numbers: Numbers])[];
}

/** Adds up the numbers of each table, and writes them to a hash each. */
export class StoredTallies {
  readonly #connection: RedisConnection;
  readonly #budget = new ScopeBudget();

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  newTallies(): Tallies {
    return new Tallies(MAX_WAITING, (day, scope) => this.#budget.admits(day, scope));
  }

  /**
   * Adds all numbers, and leaves those that cannot be added now.
   * @returns the last problem
   */
  async move(tallies: Tallies): Promise<string | undefined> {
    let problem: string | undefined;
    const send = async (pieces: readonly Piece[]) => {
      try {
        problem = (await this.#send('', pieces)) ?? problem;
      } catch (error) {
        for (const { table, rows } of pieces) {
          for (const [key, numbers] of rows) tallies.addRow(table, key, numbers);
        }
        problem = (error as Error).message;
      }
    };
    await this.#sendAll(tallies.take(), send);
    return problem;
  }

  /**
   * Adds the numbers of a portion of clicks, each once however often this is called.
   * @returns a problem that will not go away
   * @throws StoreUnavailable
   */
  async add(tallies: Tallies, portion: string): Promise<string | undefined> {
    let problem: string | undefined;
    await this.#sendAll(tallies.take(), async (pieces) => {
      problem = (await this.#send(portion, pieces)) ?? problem;
    });
    return problem;
  }

  async #sendAll(
    tables: readonly Rows[],
    send: (pieces: readonly Piece[]) => Promise<void>,
  ): Promise<void> {
    const commands = commandsOf(tables, this.#connection.isCluster);
    for (let start = 0; start < commands.length; start += COMMANDS) {
      const sent = await Promise.allSettled(commands.slice(start, start + COMMANDS).map(send));
      for (const one of sent) if (one.status === 'rejected') throw one.reason;
    }
  }

  /** @returns the problem of foreign values */
  async #send(portion: string, pieces: readonly Piece[]): Promise<string | undefined> {
    const { keys } = this.#connection;
    const args: (string | number)[] = [portion];
    for (const { table, number, rows } of pieces) {
      const { by, scope } = table;
      const size = sizeOf(by, scope?.by);
      const isSpent = this.#budget.isSpent(scope);
      const others = isSpent ? 0 : by === 'position' ? 2 : 1;
      args.push((size?.days ?? KEEP_DAYS) * DAY_SECONDS, isSpent ? 0 : (size?.rows ?? 0));
      args.push(others, number, rows.length);
      for (const [key, numbers] of rows) args.push(key, formatNumbers(numbers));
    }
    const tables = pieces.map(({ table }) => keys.table(table));
    const [foreign, added] = (await this.#connection.run((client) =>
      client.eval(ADD, tables.length, ...tables, ...args),
    )) as [number, readonly number[]];
    for (const [at, { table }] of pieces.entries()) this.#budget.spend(table.scope, added[at] ?? 0);
    return foreign > 0
      ? `${FOREIGN}: ${pieces[0]?.table.day}: ${foreign} counts are lost`
      : undefined;
  }
}

/**
 * Bounds what one process adds to the tables of campaigns, pathways and tags in a day: senders
 * choose how many of them there are.
 */
class ScopeBudget {
  /** The day of this budget: that of a click may be any. */
  #day = '';
  #spent = nothingSpent();

  /** Whether a campaign, pathway or tag has tables of its own. */
  admits(day: string, { by, value }: Scope): boolean {
    const today = dayOf(Date.now());
    // The clock may have been set back.
    if (today !== this.#day) {
      this.#day = today;
      this.#spent = nothingSpent();
    }
    const { names } = this.#spent[by];
    const id = `${day} ${value}`;
    if (names.has(id)) return true;
    if (names.size >= BUDGETS[by].names) return false;
    names.add(id);
    return true;
  }

  spend(scope: Scope | undefined, newRows: number): void {
    if (scope !== undefined) this.#spent[scope.by].rows += newRows;
  }

  /** Whether a table takes no further rows: those of its kind have too many. */
  isSpent(scope: Scope | undefined): boolean {
    return scope !== undefined && this.#spent[scope.by].rows >= BUDGETS[scope.by].rows;
  }
}

function nothingSpent() {
  const nothing = () => ({ names: new Set<string>(), rows: 0 });
  return { campaign: nothing(), pathway: nothing(), tag: nothing() };
}

/**
 * Spreads rows over commands. In a cluster the keys of one command must lie on one node. The pieces
 * of a table do not depend on other tables, which another process may leave out.
 */
function commandsOf(tables: readonly Rows[], isCluster: boolean): Piece[][] {
  const commands: Piece[][] = [];
  let command: Piece[] = [];
  let room = 0;
  for (const { table, rows } of tables) {
    if (isCluster) room = 0;
    const left = [...rows];
    for (let number = 0; left.length > 0; number++) {
      const some = left.splice(0, CHUNK);
      if (room < some.length) {
        command = [];
        commands.push(command);
        room = CHUNK;
      }
      room -= some.length;
      command.push({ table, number, rows: some });
    }
  }
  return commands;
}
