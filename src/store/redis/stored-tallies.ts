import { DAY_SECONDS } from '../../lib/days.ts';
import { getOrMake } from '../../lib/values.ts';
import type { ReportScope } from '../counters.ts';
import { addNumbers, formatNumbers, METRICS, type Numbers, noNumbers } from '../counting.ts';
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
/**
 * Adds numbers to rows. A row is a field of its table's hash, and holds its numbers in the order of
 * METRICS with commas between them, without the zeros at its end. A later release may have more
 * numbers, which stay.
 *
 * KEYS: the tables.
 * ARGV: for each table the seconds to keep it, the most rows it may have, the number of rows that
 * follow, and each row and its numbers. No row comes twice.
 * Returns how many rows could not be added because of a foreign value, how many are new in each
 * table, and then the positions of those for which their table has no room.
 */
const ADD = `${IS_FOREIGN}
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
local at, index, reply = 1, 0, { 0, {} }
for which, key in ipairs(KEYS) do
  local most, count = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local size, names, olds, written = redis.pcall('HLEN', key), {}, {}, {}
  reply[2][which] = 0
  local bad = foreign(size)
  if not bad and type(size) == 'table' then return size end
  for i = 1, count do names[i] = ARGV[at + 1 + 2 * i] end
  if not bad then olds = redis.call('HMGET', key, unpack(names)) end
  for i, name in ipairs(names) do
    local old, new = olds[i], ARGV[at + 2 + 2 * i]
    if bad or old and (#old > 200 or not old:find('^%d[%d,]*$')) then
      reply[1] = reply[1] + 1
    elseif not old and size >= most then
      reply[#reply + 1] = index
    else
      if not old then
        size = size + 1
        reply[2][which] = reply[2][which] + 1
      end
      local place = #written
      written[place + 1], written[place + 2] = name, old and sum(old, new) or new
    end
    index = index + 1
  end
  if #written > 0 then redis.call('HSET', key, unpack(written)) end
  if not bad then redis.call('EXPIRE', key, ARGV[at]) end
  at = at + 3 + 2 * count
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
      left = otherRows(full.filter(({ table }) => !this.#budget.isSpent(table.scope)));
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

/** The rows that count in place of those for which their tables have no room: few, as a rule. */
function otherRows(rows: readonly Row[]): Row[] {
  const others = new Map<Table, Map<string, Row>>();
  for (const { table, key, numbers } of rows) {
    const ofTable = getOrMake(others, table, () => new Map<string, Row>());
    const other = otherKey(table, key);
    const row = getOrMake(ofTable, other, () => ({ table, key: other, numbers: noNumbers() }));
    addNumbers(row.numbers, numbers);
  }
  return [...others.values()].flatMap((ofTable) => [...ofTable.values()]);
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
