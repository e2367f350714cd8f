import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { noneIfGone, replaceFile } from '../../lib/files.ts';
import { numberOf } from '../../lib/number-set.ts';
import { getOrMake, parseJson } from '../../lib/values.ts';
import { REPORT_BY, REPORT_SCOPES, type ReportBy, type ReportScope } from '../counters.ts';
import { countOf, formatNumbers, type Numbers, parseNumbers } from '../counting.ts';
import { type Rows, type Scope, sizeOf, type Table } from '../tallies.ts';

/*
 * A file of sums: what the lines of one UTC day add up to, so that a report need not read them.
 * It has a line with a check sum and its head in JSON; then, in numbers of 8 bytes, the first
 * clicks, and three for each block: the digest of its name, its end and its check sum; then the
 * blocks, each a JSON array of a scope and its tables. Each table of all mail is a block; so are
 * the tables of a campaign, pathway or tag. The first check sum is that of the head and the
 * numbers.
 */

/** A file `counts-DAY.TIME.sums`. It never changes: a later one takes its place. */
export interface SumsFile {
  readonly day: string;
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
  readonly tables: readonly Rows[];
}

/** A file of sums without its first clicks and tables, and where the tables are. */
export interface SumsHead extends Omit<DaySums, 'firsts' | 'tables'>, SumsFile {
  readonly bytes: number;
  /** Where the first block begins. */
  readonly start: number;
  /** Of each block the number of its name, its end, counted from `start`, and its check sum. */
  readonly blocks: Float64Array;
}

/** A file of sums that is damaged, cut, or of another program. */
class UnusableSums extends Error {
  override readonly name = 'UnusableSums';

  constructor(where: string, expected: string) {
    super(`sums of counts: ${where}: expected ${expected}`);
  }
}

const NAME = /^counts-(\d{4}-\d\d-\d\d)\.(\d{13})\.sums$/;
const VERSION = 1;
/** Most heads are shorter, so that one read does, into memory that Node.js has at hand. */
const FIRST_READ = 4000;
/** A head names each process that counted on its day. */
const MAX_HEAD = 1024 * 1024;
const NUMBER_BYTES = 8;
/** Numbers of each block. */
const PER_BLOCK = 3;

/** Lists the files of sums in a folder, oldest first. */
export async function listSums(folder: string): Promise<SumsFile[]> {
  const names: string[] = await readdir(folder).catch(noneIfGone);
  return names.sort().flatMap((name) => {
    const day = NAME.exec(name)?.[1];
    return day === undefined ? [] : { day, path: join(folder, name) };
  });
}

/** The newest file of each day. */
export function newestSums(files: readonly SumsFile[]): ReadonlyMap<string, SumsFile> {
  return new Map(files.map((file) => [file.day, file]));
}

/**
 * Writes the sums of a day.
 * @param before the newest file of the day until now
 * @returns how many bytes they take
 */
export async function writeSums(
  folder: string,
  day: string,
  sums: DaySums,
  before?: SumsFile,
): Promise<number> {
  const last = Number(NAME.exec(basename(before?.path ?? ''))?.[2] ?? 0);
  // The clock may have been set back.
  const time = Math.max(Date.now(), last + 1);
  const bytes = encode(sums);
  await replaceFile(join(folder, `counts-${day}.${time}.sums`), bytes);
  return bytes.length;
}

function encode({ read, unreadable, firsts, tables }: DaySums): Buffer {
  const blocks = blocksOf(tables).map(([{ by, scope }, of]) => {
    const within = scope === undefined ? [] : [scope.by, scope.value];
    const rows = of.map(({ table, rows }) => [
      table.by,
      [...rows].flatMap(([key, numbers]) => [key, formatNumbers(numbers)]),
    ]);
    const bytes = Buffer.from(JSON.stringify([within, Object.fromEntries(rows)]));
    return { number: numberOf(blockName({ by, scope })), bytes };
  });
  let end = 0;
  const all = [
    ...firsts,
    ...blocks.flatMap(({ number, bytes }) => {
      end += bytes.length;
      return [number, end, checkOf(bytes)];
    }),
  ];
  const numbers = Buffer.from(Float64Array.from(all).buffer);
  const counts = { unreadable, firsts: firsts.length, blocks: blocks.length };
  const head = JSON.stringify({ version: VERSION, read: [...read], ...counts });
  return Buffer.concat([
    Buffer.from(`${checkOf(Buffer.from(head), numbers)} ${head}\n`),
    numbers,
    ...blocks.map(({ bytes }) => bytes),
  ]);
}

/**
 * The tables of all mail; then those of each campaign, pathway and tag that has a row in them, if
 * any: no report reads others.
 */
function blocksOf(tables: readonly Rows[]): [TableOfDay, readonly Rows[]][] {
  const byName = new Map<string, Rows[]>();
  for (const one of tables) getOrMake(byName, blockName(one.table), () => []).push(one);
  const ofAllMail = tables.filter(({ table }) => table.scope === undefined);
  const scoped = ofAllMail.flatMap(({ table: { by }, rows }) =>
    isScope(by) ? [...rows.keys()].map((value): TableOfDay => ({ by, scope: { by, value } })) : [],
  );
  return [
    ...ofAllMail.map((one): [TableOfDay, readonly Rows[]] => [one.table, [one]]),
    ...scoped.map((of): [TableOfDay, readonly Rows[]] => [of, byName.get(blockName(of)) ?? []]),
  ];
}

function checkOf(...parts: readonly Buffer[]): number {
  return parts.reduce((sum, part) => crc32(part, sum), 0);
}

/** The block that holds a table. */
export function blockName({ by, scope }: TableOfDay): string {
  return scope === undefined ? by : `${scope.by} ${scope.value}`;
}

/*
 * These files are read without a thread: a year of days has many short ones, and handing each to a
 * thread and back takes ten times as long as to read it. Callers take turns with other work.
 */

/**
 * Reads everything but the tables.
 * @throws Error where the file is gone, cannot be read, or holds something else
 */
export function readHead({ day, path }: SumsFile): { head: SumsHead; firsts: Float64Array } {
  return within(path, (file) => {
    let read = readUpTo(file, FIRST_READ);
    if (!read.includes(10)) read = readUpTo(file, MAX_HEAD);
    const [jsonStart, headEnd] = [read.indexOf(32) + 1, read.indexOf(10)];
    const head = parseHead(read.toString('utf8', jsonStart, headEnd), day);
    const start = headEnd + 1 + NUMBER_BYTES * (head.firsts + PER_BLOCK * head.blocks);
    if (read.length < start) read = readUpTo(file, Math.min(start, fstatSync(file).size));
    if (read.length < start) throw new UnusableSums('size', `${start} bytes or more`);
    const numbers = read.subarray(headEnd + 1, start);
    const check = checkOf(read.subarray(jsonStart, headEnd), numbers);
    if (read.toString('utf8', 0, jsonStart) !== `${check} `)
      throw new UnusableSums('head', 'another check sum');
    const firsts = numbersIn(numbers, head.firsts);
    const blocks = numbersIn(numbers.subarray(firsts.byteLength), PER_BLOCK * head.blocks);
    const { unreadable } = head;
    const bytes = start + (blocks.at(1 - PER_BLOCK) ?? 0);
    return {
      head: { day, path, bytes, read: new Map(head.read), unreadable, start, blocks },
      firsts,
    };
  });
}

/** Reads the first bytes of a file: fewer where it has fewer. */
function readUpTo(file: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  return bytes.subarray(0, readSync(file, bytes, 0, length, 0));
}

function numbersIn(bytes: Buffer, count: number): Float64Array {
  const numbers = new Float64Array(count);
  bytes.copy(new Uint8Array(numbers.buffer));
  return numbers;
}

/** Whether a campaign, pathway or tag has a row among all mail. */
export function hasRow(head: SumsHead, scope: Scope): boolean {
  return blockAt(head, { by: scope.by, scope }) !== undefined;
}

/**
 * Reads a table of all mail, or all tables of a campaign, pathway or tag.
 * @throws Error as `readHead` does
 */
export function readTables(head: SumsHead, of: TableOfDay): Rows[] {
  const at = blockAt(head, of);
  return at === undefined ? [] : within(head.path, (file) => readBlock(file, head, at));
}

/** Reads all tables. @throws Error as `readHead` does */
export function readAllTables(head: SumsHead): Rows[] {
  return within(head.path, (file) => {
    const tables: Rows[] = [];
    for (let at = 0; at < head.blocks.length; at += PER_BLOCK) {
      tables.push(...readBlock(file, head, at));
    }
    return tables;
  });
}

function blockAt({ blocks }: SumsHead, of: TableOfDay): number | undefined {
  const number = numberOf(blockName(of));
  for (let at = 0; at < blocks.length; at += PER_BLOCK) if (blocks[at] === number) return at;
  return undefined;
}

function readBlock(file: number, head: SumsHead, at: number): Rows[] {
  const { start, blocks, day } = head;
  const [from = 0, to = 0, check] = [blocks[at + 1 - PER_BLOCK], blocks[at + 1], blocks[at + 2]];
  const bytes = Buffer.allocUnsafe(to - from);
  const bytesRead = readSync(file, bytes, 0, bytes.length, start + from);
  if (bytesRead < bytes.length || checkOf(bytes) !== check)
    throw new UnusableSums('tables', 'another check sum');
  return tablesOf(bytes.toString(), day);
}

function within<T>(path: string, read: (file: number) => T): T {
  // A pipe in its place is opened without waiting for a writer.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return read(file);
  } finally {
    closeSync(file);
  }
}

function parseHead(text: string, day: string) {
  const { version, read, ...counts } = Object(parseJson(text)) as Record<string, unknown>;
  if (version !== VERSION) throw new UnusableSums('version', `${VERSION}`);
  const [unreadable, firsts, blocks] = ['unreadable', 'firsts', 'blocks'].map((name) => {
    const count = countOf(counts[name]);
    if (count === undefined) throw new UnusableSums(name, 'a count');
    return count;
  }) as [number, number, number];
  const isOfDay = (name: unknown) => typeof name === 'string' && name.startsWith(`counts-${day}.`);
  const isRead = (one: unknown): one is [string, number] =>
    Array.isArray(one) && isOfDay(one[0]) && countOf(one[1]) !== undefined;
  if (!Array.isArray(read) || !read.every(isRead))
    throw new UnusableSums('read', 'files of the same day and their bytes');
  return { read, unreadable, firsts, blocks };
}

function tablesOf(text: string, day: string): Rows[] {
  const block = parseJson(text);
  const [name, tables] = Array.isArray(block) ? (block as unknown[]) : [];
  const scope = scopeOf(name);
  return Object.entries(Object(tables)).map(([by, rows]) => {
    if (!isBreakdown(by) || sizeOf(by, scope?.by) === undefined || !Array.isArray(rows))
      throw new UnusableSums('tables', 'breakdowns and their rows');
    return { table: { day, by, scope }, rows: rowsOf(rows) };
  });
}

function scopeOf(name: unknown): Scope | undefined {
  const [word, value]: unknown[] = Array.isArray(name) ? name : [undefined];
  if (Array.isArray(name) && name.length === 0) return undefined;
  if (typeof word !== 'string' || !isScope(word) || typeof value !== 'string')
    throw new UnusableSums('tables', 'a campaign, pathway or tag');
  return { by: word, value };
}

function rowsOf(flat: readonly unknown[]): Map<string, Numbers> {
  const rows = new Map<string, Numbers>();
  for (let at = 0; at < flat.length; at += 2) {
    const [key, text] = [flat[at], flat[at + 1]];
    const numbers = typeof text === 'string' ? parseNumbers(text) : undefined;
    if (typeof key !== 'string' || numbers === undefined)
      throw new UnusableSums('tables', 'keys and their numbers');
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
