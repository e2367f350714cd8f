import { getOrMake } from '../lib/values.ts';
import { type LinkPlace, placeKey } from '../link/place.ts';
import { REPORT_BY, type ReportBy, type ReportScope } from './counters.ts';
import { addNumbers, type Numbers, noNumbers, OTHER_KEY } from './counting.ts';

/**
 * What a message or a click on it is counted by; each text as it is counted, and empty where there
 * is none.
 */
export interface Counted {
  /** UTC day and hour of the injection, or of the click: YYYY-MM-DD, YYYY-MM-DDTHH. */
  readonly day: string;
  readonly hour: string;
  readonly campaign: string;
  readonly pathway: string;
  readonly tags: readonly string[];
  readonly recipientDomain: string;
  /** Absent for a message. */
  readonly link?: LinkPlace;
}

/** The most rows of a table, and how many days the table is kept. */
interface Size {
  readonly rows: number;
  readonly days: number;
}

/** How one breakdown is kept: in tables of one UTC day each. */
interface Breakdown {
  /** The tables of all mail, and those of each campaign, pathway and tag, where there are any. */
  readonly sizes: { readonly [scope in 'all' | ReportScope]?: Size };
  /** The rows that something counts in. */
  keys(counted: Counted): readonly string[];
}

/** The days that counts are kept, and those by hour. */
export const KEEP_DAYS = 400;
export const HOUR_DAYS = 14;

const daily = (rows: number): Size => ({ rows, days: KEEP_DAYS });
const HOURS: Size = { rows: 24, days: HOUR_DAYS };

/**
 * Every breakdown. The days of one campaign, pathway or tag are its rows in the tables of all mail;
 * links and parts of one campaign are sums of its positions.
 */
const BREAKDOWNS: Readonly<Record<ReportBy, Breakdown>> = {
  day: { sizes: { all: daily(1) }, keys: ({ day }) => [day] },
  hour: {
    sizes: {
      all: HOURS,
      campaign: daily(24),
      pathway: HOURS,
      tag: HOURS,
    },
    keys: ({ hour }) => [hour],
  },
  campaign: {
    sizes: { all: daily(5000), pathway: daily(500), tag: daily(500) },
    keys: ({ campaign }) => [campaign],
  },
  pathway: {
    sizes: { all: daily(1000), campaign: daily(50) },
    keys: ({ pathway }) => [pathway],
  },
  tag: {
    sizes: { all: daily(1000), campaign: daily(50) },
    keys: ({ tags }) => (tags.length > 0 ? tags : NO_KEY),
  },
  domain: {
    sizes: { all: daily(1000), campaign: daily(100) },
    keys: ({ recipientDomain }) => [recipientDomain],
  },
  part: {
    sizes: { all: daily(2) },
    keys: ({ link }) => (link === undefined ? [] : [link.part]),
  },
  link: {
    sizes: { all: daily(5000), pathway: daily(500), tag: daily(500) },
    keys: ({ link }) => (link === undefined ? [] : [link.label]),
  },
  position: {
    sizes: { campaign: daily(500) },
    keys: ({ link }) => (link === undefined ? [] : [placeKey(link)]),
  },
};
const NO_KEY = [''];

/**
 * The row that counts in place of one for which a table has no room: a position stays, its link
 * does not. The script of StoredTallies does the same.
 */
function otherKey({ by }: Pick<Table, 'by'>, key: string): string {
  const place = by === 'position' ? /^\S+ [\d-]+ /.exec(key)?.[0] : undefined;
  return (place ?? '') + OTHER_KEY;
}

/** One campaign, pathway or tag. */
export interface Scope {
  readonly by: ReportScope;
  /** As it is counted. A pathway or tag without a text has no tables. */
  readonly value: string;
}

/** The numbers of one UTC day by one breakdown. */
export interface Table {
  readonly day: string;
  readonly by: ReportBy;
  /** Absent for all mail. */
  readonly scope?: Scope | undefined;
}

/**
 * The bounds of the tables of a breakdown.
 * @param scope of what; absent for all mail
 * @returns undefined where there are no such tables
 */
export function sizeOf(by: ReportBy, scope?: ReportScope): Size | undefined {
  return BREAKDOWNS[by].sizes[scope ?? 'all'];
}

/** The breakdown whose tables hold the rows of another one, or its own. */
export function sourceOf(by: ReportBy, scope?: ReportScope): ReportBy | undefined {
  if (sizeOf(by, scope) !== undefined) return by;
  const isOfPlaces = by === 'link' || by === 'part';
  return isOfPlaces && sizeOf('position', scope) !== undefined ? 'position' : undefined;
}

const keptWithin = (scope?: ReportScope) =>
  REPORT_BY.filter((by) => sizeOf(by, scope) !== undefined);
/** The breakdowns that are kept of all mail, and of each campaign, pathway and tag. */
const KEPT: Readonly<Record<'all' | ReportScope, readonly ReportBy[]>> = {
  all: keptWithin(),
  campaign: keptWithin('campaign'),
  pathway: keptWithin('pathway'),
  tag: keptWithin('tag'),
};

/** A table and its rows by key. */
export interface Rows {
  readonly table: Table;
  readonly rows: Map<string, Numbers>;
}

/** The tables of one day, of all mail or within one scope. */
type Tables = Map<ReportBy, Rows>;

/**
 * Adds up numbers in tables. It is bounded: each table has its most rows, and where all have too
 * many, only rows of all mail are added.
 */
export class Tallies {
  readonly #maxRows: number;
  readonly #hasTables: (day: string, scope: Scope) => boolean;
  #tables = new Map<string, Tables>();
  #size = 0;

  /**
   * @param maxRows of all tables; beyond it there are a few per day
   * @param hasTables whether a campaign, pathway or tag has tables of its own on a day
   */
  constructor(maxRows: number, hasTables: (day: string, scope: Scope) => boolean = () => true) {
    this.#maxRows = maxRows;
    this.#hasTables = hasTables;
  }

  get isEmpty(): boolean {
    return this.#tables.size === 0;
  }

  /** Adds to every row that a message or click counts in. */
  add(counted: Counted, numbers: Partial<Numbers>): void {
    const { campaign, pathway, tags } = counted;
    this.#addWithin(undefined, counted, numbers);
    this.#addWithin({ by: 'campaign', value: campaign }, counted, numbers);
    if (pathway !== '') this.#addWithin({ by: 'pathway', value: pathway }, counted, numbers);
    for (const tag of tags) {
      if (tag !== '') this.#addWithin({ by: 'tag', value: tag }, counted, numbers);
    }
  }

  #addWithin(scope: Scope | undefined, counted: Counted, numbers: Partial<Numbers>): void {
    const { day } = counted;
    const tables = this.#tablesWithin(day, scope);
    if (tables === undefined) return;
    for (const by of KEPT[scope?.by ?? 'all']) {
      for (const key of BREAKDOWNS[by].keys(counted)) {
        const { table, rows } = getOrMake(tables, by, () => newRows({ day, by, scope }));
        this.#addRow(table, rows, key, numbers);
      }
    }
  }

  addRow(table: Table, key: string, numbers: Partial<Numbers>): void {
    const tables = this.#tablesWithin(table.day, table.scope);
    if (tables === undefined) return;
    const { rows } = getOrMake(tables, table.by, () => newRows(table));
    this.#addRow(table, rows, key, numbers);
  }

  /** Adds the rows of a table to those that are there. */
  addTable({ table, rows }: Rows): void {
    for (const [key, numbers] of rows) this.addRow(table, key, numbers);
  }

  /** @returns undefined where the scope gets no tables */
  #tablesWithin(day: string, scope: Scope | undefined): Tables | undefined {
    const id = idOf(day, scope);
    const known = this.#tables.get(id);
    if (known !== undefined) return known;
    if (scope !== undefined && (this.isFull || !this.#hasTables(day, scope))) return undefined;
    const tables: Tables = new Map();
    this.#tables.set(id, tables);
    return tables;
  }

  /** Whether only rows of all mail are added any more. */
  get isFull(): boolean {
    return this.#size >= this.#maxRows;
  }

  #addRow(table: Table, rows: Rows['rows'], key: string, numbers: Partial<Numbers>): void {
    let row = rows.get(key);
    if (row === undefined) {
      const most = sizeOf(table.by, table.scope?.by)?.rows ?? 0;
      // The first row of a table has its name in any case: the total of a day is a first row.
      const hasRoom = rows.size < (this.isFull ? 1 : most);
      const name = hasRoom ? key : this.isFull ? OTHER_KEY : otherKey(table, key);
      row = getOrMake(rows, name, () => {
        this.#size++;
        return noNumbers();
      });
    }
    addNumbers(row, numbers);
  }

  /** The rows of a table; none where nothing was counted. */
  rowsOf({ day, by, scope }: Table): ReadonlyMap<string, Numbers> {
    return this.#tables.get(idOf(day, scope))?.get(by)?.rows ?? NO_ROWS;
  }

  /** Gives all tables away, and is empty then. */
  take(): Rows[] {
    const tables = [...this.#tables.values()].flatMap((of) => [...of.values()]);
    this.#tables = new Map();
    this.#size = 0;
    return tables;
  }
}

const NO_ROWS: ReadonlyMap<string, Numbers> = new Map();

function newRows(table: Table): Rows {
  return { table, rows: new Map() };
}

function idOf(day: string, scope: Scope | undefined): string {
  return scope === undefined ? day : `${day} ${scope.by} ${scope.value}`;
}
