import { formatNumbers, type Numbers } from '../counting.ts';
import type { ReportScope } from '../store.ts';
import {
  KEEP_DAYS,
  otherKey,
  type Rows,
  type Scope,
  sizeOf,
  type Table,
  Tallies,
} from '../tallies.ts';
import type { RedisConnection } from './connection.ts';
import { FOREIGN, IS_FOREIGN } from './count-fields.ts';

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
const DAY_SECONDS = 86_400;
/**
 * Adds numbers to rows. A row is a field of its table's hash, and holds its numbers in the order of
 * METRICS with commas between them, without the zeros at its end.
 *
 * KEYS: the tables.
 * ARGV: for each table the seconds to keep it, the most rows it may have, the number of rows that
 * follow, and each row and its numbers.
 * Returns how many rows could not be added because of a foreign value, how many are new in each
 * table, and then the positions of those for which their table has no room.
 */
const ADD = `${IS_FOREIGN}
local function sum(old, new)
  local olds, news, sums, last = old:gmatch('%d+'), new:gmatch('%d+'), {}, 0
  while true do
    local a, b = olds(), news()
    if not a and not b then return table.concat(sums, ',', 1, last) end
    local number = tonumber(a or 0) + tonumber(b or 0)
    sums[#sums + 1] = string.format('%.0f', number)
    if number > 0 then last = #sums end
  end
end
local at, index, reply = 1, 0, { 0, {} }
for which, key in ipairs(KEYS) do
  local most, last = tonumber(ARGV[at + 1]), at + 2 + 2 * tonumber(ARGV[at + 2])
  local size = redis.pcall('HLEN', key)
  reply[2][which] = 0
  local bad = foreign(size)
  if not bad and type(size) == 'table' then return size end
  for i = at + 3, last, 2 do
    local old = not bad and redis.call('HGET', key, ARGV[i])
    if bad or old and (#old > 200 or not old:find('^%d[%d,]*$')) then
      reply[1] = reply[1] + 1
    elseif not old and size >= most then
      reply[#reply + 1] = index
    else
      if not old then
        size = size + 1
        reply[2][which] = reply[2][which] + 1
      end
      redis.call('HSET', key, ARGV[i], old and sum(old, ARGV[i + 1]) or ARGV[i + 1])
    end
    index = index + 1
  end
  if not bad then redis.call('EXPIRE', key, ARGV[at]) end
  at = last + 1
end
return reply`;

/** A row that is to be added, and its table. */
interface Row {
  readonly table: Table;
  readonly key: string;
  readonly numbers: Numbers;
}

/** Adds up the numbers of each table, and writes them to a hash each. */
export class StoredTallies {
  readonly #connection: RedisConnection;
  readonly #budget = new ScopeBudget();
  readonly tallies = new Tallies(MAX_WAITING, (day, scope) => this.#budget.admits(day, scope));

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  /** @returns the last problem; numbers that cannot be written now wait on */
  async write(): Promise<string | undefined> {
    const commands = commandsOf(this.tallies.take(), this.#connection.isCluster);
    let problem: string | undefined;
    for (let start = 0; start < commands.length; start += COMMANDS) {
      const some = commands.slice(start, start + COMMANDS);
      for (const found of await Promise.all(some.map((rows) => this.#send(rows)))) {
        problem = found ?? problem;
      }
    }
    return problem;
  }

  /** @returns the problem, if there is one */
  async #send(rows: readonly Row[]): Promise<string | undefined> {
    let left = rows;
    try {
      const [foreign, full] = await this.#add(
        rows,
        ({ by, scope }) => sizeOf(by, scope?.by)?.rows ?? 0,
      );
      left = full.flatMap(({ table, key, numbers }): Row[] =>
        this.#budget.isSpent(table.scope) ? [] : [{ table, key: otherKey(table, key), numbers }],
      );
      const [more] = left.length > 0 ? await this.#add(left, () => Number.MAX_SAFE_INTEGER) : [0];
      return foreign + more > 0
        ? `${FOREIGN}: ${rows[0]?.table.day}: ${foreign + more} counts are lost`
        : undefined;
    } catch (error) {
      for (const { table, key, numbers } of left) this.tallies.addRow(table, key, numbers);
      return (error as Error).message;
    }
  }

  /** @returns how many rows meet a foreign value, and those without room in their table */
  async #add(
    rows: readonly Row[],
    most: (table: Table) => number,
  ): Promise<[foreign: number, full: readonly Row[]]> {
    const { keys } = this.#connection;
    const tables: Table[] = [];
    const args: (string | number)[] = [];
    for (let start = 0; start < rows.length; ) {
      const table = rows[start]?.table;
      if (table === undefined) break;
      let end = start;
      while (rows[end]?.table === table) end++;
      tables.push(table);
      args.push(
        (sizeOf(table.by, table.scope?.by)?.days ?? KEEP_DAYS) * DAY_SECONDS,
        this.#budget.isSpent(table.scope) ? 0 : most(table),
        end - start,
      );
      for (const { key, numbers } of rows.slice(start, end)) args.push(key, formatNumbers(numbers));
      start = end;
    }
    const [foreign, added, ...full] = (await this.#connection.run((client) =>
      client.eval(ADD, tables.length, ...tables.map((table) => keys.table(table)), ...args),
    )) as [number, readonly number[], ...number[]];
    for (const [at, { scope }] of tables.entries()) this.#budget.spend(scope, added[at] ?? 0);
    return [foreign, full.flatMap((at) => rows.slice(at, at + 1))];
  }
}

/**
 * Bounds what one process adds to the tables of campaigns, pathways and tags in a day: senders
 * choose how many of them there are.
 */
class ScopeBudget {
  #day = '';
  #spent = nothingSpent();

  /** Whether a campaign, pathway or tag has tables of its own. */
  admits(day: string, { by, value }: Scope): boolean {
    if (day > this.#day) {
      this.#day = day;
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

/** Spreads rows over commands. In a cluster the keys of one command must lie on one node. */
function commandsOf(tables: readonly Rows[], isCluster: boolean): Row[][] {
  const commands: Row[][] = [];
  let command: Row[] = [];
  for (const { table, rows } of tables) {
    if (isCluster) command = [];
    for (const [key, numbers] of rows) {
      if (command.length === 0 || command.length >= CHUNK) {
        command = [];
        commands.push(command);
      }
      command.push({ table, key, numbers });
    }
  }
  return commands;
}
