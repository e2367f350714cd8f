import { getOrMake } from '../lib/values.ts';
import { addNumbers, type Numbers, noNumbers, OTHER_KEY } from './counting.ts';
import { REPORT_BY, type ReportBy } from './store.ts';

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
  readonly link?: {
    readonly label: string;
    readonly part: string;
    readonly position?: number | undefined;
  };
}

/** How one breakdown is kept: tables of one day each, of all mail and of each campaign. */
interface Breakdown {
  /** The most rows of a table of all mail; 0 where there are no such tables. */
  readonly most: number;
  /** The most rows of a table of one campaign. */
  readonly mostOfCampaign: number;
  readonly keepDays: number;
  /** The rows that something counts in. */
  keys(counted: Counted): readonly string[];
}

const KEEP_DAYS = 400;
/** The last position that is counted as such; newsletters have fewer links. */
const MAX_POSITION = 999;

/** Every breakdown. Links and parts of one campaign are sums of its positions. */
export const BREAKDOWNS: Readonly<Record<ReportBy, Breakdown>> = {
  day: {
    most: 1,
    mostOfCampaign: 1,
    keepDays: KEEP_DAYS,
    keys: ({ day }) => [day],
  },
  hour: { most: 24, mostOfCampaign: 24, keepDays: 14, keys: ({ hour }) => [hour] },
  campaign: {
    most: 5000,
    mostOfCampaign: 0,
    keepDays: KEEP_DAYS,
    keys: ({ campaign }) => [campaign],
  },
  pathway: {
    most: 1000,
    mostOfCampaign: 50,
    keepDays: KEEP_DAYS,
    keys: ({ pathway }) => [pathway],
  },
  tag: {
    most: 1000,
    mostOfCampaign: 50,
    keepDays: KEEP_DAYS,
    keys: ({ tags }) => (tags.length > 0 ? tags : NO_KEY),
  },
  domain: {
    most: 1000,
    mostOfCampaign: 100,
    keepDays: KEEP_DAYS,
    keys: ({ recipientDomain }) => [recipientDomain],
  },
  part: {
    most: 2,
    mostOfCampaign: 0,
    keepDays: KEEP_DAYS,
    keys: ({ link }) => (link === undefined ? [] : [link.part]),
  },
  link: {
    most: 5000,
    mostOfCampaign: 0,
    keepDays: KEEP_DAYS,
    keys: ({ link }) => (link === undefined ? [] : [link.label]),
  },
  position: {
    most: 0,
    mostOfCampaign: 500,
    keepDays: KEEP_DAYS,
    keys: ({ link }) => (link === undefined ? [] : [placeKey(link)]),
  },
};
const NO_KEY = [''];
const ALL = REPORT_BY.map((by) => [by, BREAKDOWNS[by]] as const);

/** The place of a link: `html 3 Shop`. */
function placeKey({ part, position, label }: NonNullable<Counted['link']>): string {
  const isKnown = position !== undefined && position <= MAX_POSITION;
  return `${part} ${isKnown ? position : '-'} ${label}`;
}

/** @returns undefined for a key that is not the place of a link */
export function parsePlace(key: string): { part: string; label: string } | undefined {
  const [, part, label] = /^(\S+) (?:\d{1,3}|-) (.*)$/s.exec(key) ?? [];
  return part === undefined || label === undefined ? undefined : { part, label };
}

/**
 * The row that counts in place of one for which a table has no room: a position stays, its link
 * does not.
 */
export function otherKey({ by }: Table, key: string): string {
  const place = by === 'position' ? /^\S+ [\d-]+ /.exec(key)?.[0] : undefined;
  return (place ?? '') + OTHER_KEY;
}

/** The numbers of one UTC day by one breakdown. */
export interface Table {
  readonly day: string;
  readonly by: ReportBy;
  /** Absent for all mail. */
  readonly campaign?: string;
}

/** The most rows of a table. */
export function mostRows({ by, campaign }: Table): number {
  return BREAKDOWNS[by][campaign === undefined ? 'most' : 'mostOfCampaign'];
}

/** A table and its rows by key. */
export interface Rows {
  readonly table: Table;
  readonly rows: Map<string, Numbers>;
}

/**
 * Adds up numbers in tables. It is bounded: each table has its most rows, and where all have too
 * many, only rows of all mail are added.
 */
export class Tallies {
  readonly #maxRows: number;
  readonly #hasTables: (day: string, campaign: string) => boolean;
  #tables = new Map<string, Rows>();
  #size = 0;

  /**
   * @param maxRows of all tables; beyond it there are a few per day
   * @param hasTables whether a campaign has tables of its own on a day
   */
  constructor(maxRows: number, hasTables: (day: string, campaign: string) => boolean = () => true) {
    this.#maxRows = maxRows;
    this.#hasTables = hasTables;
  }

  get isEmpty(): boolean {
    return this.#tables.size === 0;
  }

  /** Adds to every row that a message or click counts in. */
  add(counted: Counted, numbers: Partial<Numbers>): void {
    const { day, campaign } = counted;
    const isDetailed = this.#hasTables(day, campaign);
    for (const [by, { most, mostOfCampaign, keys }] of ALL) {
      for (const key of keys(counted)) {
        if (most > 0) this.addRow({ day, by }, key, numbers);
        if (isDetailed && mostOfCampaign > 0) this.addRow({ day, by, campaign }, key, numbers);
      }
    }
  }

  addRow(table: Table, key: string, numbers: Partial<Numbers>): void {
    const id = idOf(table);
    const isFull = this.#size >= this.#maxRows;
    if (isFull && table.campaign !== undefined && !this.#tables.has(id)) return;
    const { rows } = getOrMake(this.#tables, id, () => ({ table, rows: new Map() }));
    let row = rows.get(key);
    if (row === undefined) {
      const other = isFull ? OTHER_KEY : otherKey(table, key);
      const name = isFull || rows.size >= mostRows(table) ? other : key;
      row = getOrMake(rows, name, () => {
        this.#size++;
        return noNumbers();
      });
    }
    addNumbers(row, numbers);
  }

  /** The rows of a table; none where nothing was counted. */
  rowsOf(table: Table): Iterable<readonly [key: string, numbers: Numbers]> {
    return this.#tables.get(idOf(table))?.rows ?? [];
  }

  /** Gives all tables away, and is empty then. */
  take(): Rows[] {
    const tables = [...this.#tables.values()];
    this.#tables = new Map();
    this.#size = 0;
    return tables;
  }
}

function idOf({ day, by, campaign }: Table): string {
  return campaign === undefined ? `${day} ${by}` : `${day} ${by} ${campaign}`;
}
