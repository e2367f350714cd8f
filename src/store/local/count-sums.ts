import { readdir } from 'node:fs/promises';
import { replaceFile } from '../../lib/files.ts';
import { getOrMake, parseJson } from '../../lib/values.ts';
import { REPORT_BY, REPORT_SCOPES, type ReportBy, type ReportScope } from '../counters.ts';
import { countOf, formatNumbers, type Numbers, parseNumbers } from '../counting.ts';
import { type Lease, Superseded } from '../events.ts';
import { type Rows, type Scope, sizeOf, type Table } from '../tallies.ts';
import {
  type Block,
  type BlockFile,
  bytesOf,
  encodeBlocks,
  hasBlock,
  numbersIn,
  openBlocks,
  readBlocks,
  UnusableBlocks,
} from './block-file.ts';
import { namesIn } from './count-file.ts';

/*
 * A file of sums: what the lines of one UTC day add up to, so that a report need not read them.
 * Its blocks are each table of all mail; the tables of each campaign, pathway or tag together;
 * the first clicks; and the clicks on each link of each message, in several blocks. A block of
 * tables is a JSON array of a scope and its tables, the others are numbers of 8 bytes.
 */

/** A file `counts-DAY.TIME.sums`. It never changes: a later one takes its place. */
export interface SumsFile {
  readonly day: string;
  readonly name: string;
  readonly path: string;
}

/** A table of a day that is known. */
type TableOfDay = Pick<Table, 'by' | 'scope'>;

/** What the lines of a day add up to. */
export interface DaySums {
  /** How many bytes of each file of counts are added up, by its name. */
  readonly read: ReadonlyMap<string, number>;
  /** Lines that could not be read. */
  readonly unreadable: number;
  /** Messages and links that were clicked for the first time on this day, by their numbers. */
  readonly firsts: readonly number[];
  /** The clicks on each link of each message, by its number. */
  readonly links: ReadonlyMap<number, number>;
  readonly tables: readonly Rows[];
}

/** A file of sums without its blocks. */
export interface SumsHead extends Pick<DaySums, 'read' | 'unreadable'>, SumsFile {
  readonly file: BlockFile;
  /** How many first clicks there are. */
  readonly firsts: number;
  /** How many blocks have the clicks on links. */
  readonly linkBlocks: number;
}

const NAME = /^counts-(\d{4}-\d\d-\d\d)\.(\d{13})\.sums$/;
const UNFINISHED = /^counts-[\w-]+\.\d+\.sums\.\d+\.tmp$/;
/** Version 1 had no clicks on links. */
const VERSION = 2;
const FIRSTS = 'firsts';
/** Links of a block: 4 KB. */
const PER_LINK_BLOCK = 256;

/**
 * Lists the files of sums in a folder, oldest first.
 * @param names of all files in it, where they are known
 */
export async function listSums(folder: string, names?: readonly string[]): Promise<SumsFile[]> {
  return (names ?? (await namesIn(folder))).flatMap((name) => {
    const day = NAME.exec(name)?.[1];
    return day === undefined ? [] : { day, name, path: `${folder}/${name}` };
  });
}

/** The drafts of files of sums, of a process that was killed or is stopped. */
export async function unfinishedSums(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder);
  return names.filter((name) => UNFINISHED.test(name)).map((name) => `${folder}/${name}`);
}

/**
 * Writes a file of sums, or of first clicks.
 * @param lease the right to: while this process was stopped, others may have changed the lines
 * @throws Superseded
 */
export async function replaceSums(path: string, bytes: Buffer, lease: Lease): Promise<void> {
  if (!(await replaceFile(path, bytes, () => lease.isHeld()))) {
    throw new Superseded(`${path}: another process took over`);
  }
}

/** The newest file of each day. */
export function newestSums(files: readonly SumsFile[]): ReadonlyMap<string, SumsFile> {
  return new Map(files.map((file) => [file.day, file]));
}

/**
 * Writes the sums of a day.
 * @param lease that of the counts
 * @param before the newest file of the day until now
 * @returns how many bytes they take
 * @throws Superseded
 */
export async function writeSums(
  folder: string,
  lease: Lease,
  day: string,
  { read, unreadable, firsts, links, tables }: DaySums,
  before?: SumsFile,
): Promise<number> {
  const last = Number(NAME.exec(before?.name ?? '')?.[2] ?? 0);
  // The clock may have been set back.
  const time = Math.max(Date.now(), last + 1);
  const linkBlocks = Math.ceil(links.size / PER_LINK_BLOCK);
  const head = { read: [...read], unreadable, firsts: firsts.length, linkBlocks };
  const bytes = encodeBlocks(VERSION, head, [
    { name: FIRSTS, bytes: bytesOf(firsts) },
    ...blocksOfLinks(links, linkBlocks),
    ...blocksOfTables(tables),
  ]);
  await replaceSums(`${folder}/counts-${day}.${time}.sums`, bytes, lease);
  return bytes.length;
}

function blocksOfLinks(links: DaySums['links'], count: number): Block[] {
  const numbers = Array.from({ length: count }, (): number[] => []);
  for (const [link, clicks] of links) numbers[link % count]?.push(link, clicks);
  return numbers.map((some, at) => ({ name: linkBlock(at), bytes: bytesOf(some) }));
}

const linkBlock = (at: number) => `links ${at}`;

/**
 * The tables of all mail; then those of each campaign, pathway and tag that has a row in them, if
 * any: no report reads others.
 */
function blocksOfTables(tables: readonly Rows[]): Block[] {
  const byName = new Map<string, Rows[]>();
  for (const one of tables) getOrMake(byName, blockName(one.table), () => []).push(one);
  const ofAllMail = tables.filter(({ table }) => table.scope === undefined);
  const scoped = ofAllMail.flatMap(({ table: { by }, rows }) =>
    isScope(by) ? [...rows.keys()].map((value): TableOfDay => ({ by, scope: { by, value } })) : [],
  );
  return [
    ...ofAllMail.map((one) => blockOf(one.table, [one])),
    ...scoped.map((of) => blockOf(of, byName.get(blockName(of)) ?? [])),
  ];
}

function blockOf(of: TableOfDay, tables: readonly Rows[]): Block {
  const within = of.scope === undefined ? [] : [of.scope.by, of.scope.value];
  const rows = tables.map(({ table, rows }) => [
    table.by,
    [...rows].flatMap(([key, numbers]) => [key, formatNumbers(numbers)]),
  ]);
  const bytes = Buffer.from(JSON.stringify([within, Object.fromEntries(rows)]));
  return { name: blockName(of), bytes };
}

/** The block that holds a table. */
export function blockName({ by, scope }: TableOfDay): string {
  return scope === undefined ? by : `${scope.by} ${scope.value}`;
}

/** @throws Error where the file is gone, cannot be read, or holds something else */
export function readHead({ day, name, path }: SumsFile): SumsHead {
  const file = openBlocks(path, VERSION);
  const { read } = file.head;
  const unreadable = countIn(file, 'unreadable');
  const firsts = countIn(file, 'firsts');
  const linkBlocks = countIn(file, 'linkBlocks');
  const isOfDay = (name: unknown) => typeof name === 'string' && name.startsWith(`counts-${day}.`);
  const isRead = (one: unknown): one is [string, number] =>
    Array.isArray(one) && isOfDay(one[0]) && countOf(one[1]) !== undefined;
  if (!Array.isArray(read) || !read.every(isRead))
    throw new UnusableBlocks('read', 'files of the same day and their bytes');
  return { day, name, path, file, unreadable, firsts, linkBlocks, read: new Map(read) };
}

function countIn({ head }: BlockFile, name: string): number {
  const count = countOf(head[name]);
  if (count === undefined) throw new UnusableBlocks(name, 'a count');
  return count;
}

/** Reads the first clicks. @throws Error as `readHead` does */
export function readFirsts({ file }: SumsHead): Float64Array {
  return numbersIn(Buffer.concat(readBlocks(file, [FIRSTS])));
}

/** Reads the clicks on a link of a message. @throws Error as `readHead` does */
export function readClicks({ file, linkBlocks }: SumsHead, link: number): number {
  const numbers = numbersIn(Buffer.concat(readBlocks(file, [linkBlock(link % linkBlocks)])));
  for (let at = 0; at < numbers.length; at += 2)
    if (numbers[at] === link) return numbers[at + 1] ?? 0;
  return 0;
}

/** Whether a campaign, pathway or tag has a row among all mail. */
export function hasRow({ file }: SumsHead, scope: Scope): boolean {
  return hasBlock(file, blockName({ by: scope.by, scope }));
}

/**
 * Reads tables of all mail, each by its name, or all tables of a campaign, pathway or tag.
 * @param blocks the names of their blocks
 * @throws Error as `readHead` does
 */
export function readTables({ file, day }: SumsHead, blocks: readonly string[]): Rows[] {
  return readBlocks(file, blocks).flatMap((bytes) => tablesOf(bytes, day));
}

/** Reads all tables, and the clicks on all links. @throws Error as `readHead` does */
export function readAll(head: SumsHead): Pick<DaySums, 'links' | 'tables'> {
  const { file, linkBlocks } = head;
  const links = new Map<number, number>();
  const names = Array.from({ length: linkBlocks }, (_, at) => linkBlock(at));
  for (const numbers of readBlocks(file, names).map(numbersIn)) {
    for (let at = 0; at < numbers.length; at += 2)
      links.set(numbers[at] ?? 0, numbers[at + 1] ?? 0);
  }
  const ofAllMail = readTables(head, REPORT_BY);
  const scopes = ofAllMail.flatMap(({ table: { by }, rows }) =>
    isScope(by) ? [...rows.keys()].map((value) => blockName({ by, scope: { by, value } })) : [],
  );
  return { links, tables: [...ofAllMail, ...readTables(head, scopes)] };
}

function tablesOf(bytes: Buffer, day: string): Rows[] {
  const block = parseJson(bytes.toString());
  const [name, tables] = Array.isArray(block) ? (block as unknown[]) : [];
  const scope = scopeOf(name);
  return Object.entries(Object(tables)).map(([by, rows]) => {
    if (!isBreakdown(by) || sizeOf(by, scope?.by) === undefined || !Array.isArray(rows))
      throw new UnusableBlocks('tables', 'breakdowns and their rows');
    return { table: { day, by, scope }, rows: rowsOf(rows) };
  });
}

function scopeOf(name: unknown): Scope | undefined {
  const [word, value]: unknown[] = Array.isArray(name) ? name : [undefined];
  if (Array.isArray(name) && name.length === 0) return undefined;
  if (typeof word !== 'string' || !isScope(word) || typeof value !== 'string')
    throw new UnusableBlocks('tables', 'a campaign, pathway or tag');
  return { by: word, value };
}

function rowsOf(flat: readonly unknown[]): Map<string, Numbers> {
  const rows = new Map<string, Numbers>();
  for (let at = 0; at < flat.length; at += 2) {
    const [key, text] = [flat[at], flat[at + 1]];
    const numbers = typeof text === 'string' ? parseNumbers(text) : undefined;
    if (typeof key !== 'string' || numbers === undefined)
      throw new UnusableBlocks('tables', 'keys and their numbers');
    rows.set(key, numbers);
  }
  return rows;
}

function isBreakdown(by: string): by is ReportBy {
  return REPORT_BY.includes(by as ReportBy);
}

function isScope(by: string): by is ReportScope {
  return REPORT_SCOPES.includes(by as ReportScope);
}
