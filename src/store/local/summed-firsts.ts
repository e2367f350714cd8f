import { BoundedCache } from '../../lib/bounded-cache.ts';
import { removeFile } from '../../lib/files.ts';
import { countOf } from '../counting.ts';
import type { Lease } from '../events.ts';
import {
  type Block,
  type BlockFile,
  bytesOf,
  encodeBlocks,
  numbersIn,
  openBlocks,
  readBlocks,
  UnusableBlocks,
} from './block-file.ts';
import { namesIn } from './count-file.ts';
import { readFirsts, replaceSums, type SumsHead } from './count-sums.ts';

/*
 * A file of first clicks: those of many files of sums together, so that a view after a start reads
 * the few that it asks for, of up to 64 MB. A block has the numbers of one remainder.
 */

const NAME = /^counts-firsts\.\d{13}\.sums$/;
const VERSION = 1;
/** Numbers of a block: 4 KB. */
const PER_BLOCK = 512;
/** Blocks in memory: up to 8 MB. */
const REMEMBERED = 1024;

/** A file of first clicks is gone, or damaged. */
export class LostFirsts extends Error {
  override readonly name = 'LostFirsts';
  readonly path: string;

  constructor(path: string, cause: unknown) {
    super('first clicks cannot be read', { cause });
    this.path = path;
  }
}

/**
 * Lists the files of first clicks in a folder, oldest first.
 * @param names of all files in it, where they are known
 */
export async function listFirsts(folder: string, names?: readonly string[]): Promise<string[]> {
  return (names ?? (await namesIn(folder)))
    .filter((name) => NAME.test(name))
    .map((name) => `${folder}/${name}`);
}

/** The first clicks of some files of sums. */
export class SummedFirsts {
  /** The names of these files. */
  readonly of: ReadonlySet<string>;
  /** How many there are. */
  readonly size: number;
  readonly #file: BlockFile;
  readonly #blocks: number;
  readonly #read = new BoundedCache<number, Float64Array>(REMEMBERED);

  /** @throws Error where the file is gone, cannot be read, or holds something else */
  constructor(path: string) {
    this.#file = openBlocks(path, VERSION);
    const { of, size, blocks } = this.#file.head;
    if (!Array.isArray(of)) throw new UnusableBlocks('of', 'names of files');
    this.of = new Set(of);
    this.size = countOf(size) ?? 0;
    this.#blocks = countOf(blocks) ?? 0;
  }

  /** @throws LostFirsts */
  has(number: number): boolean {
    const remainder = Math.abs(number) % this.#blocks;
    return this.#read.getOrMake(remainder, () => this.#readBlock(remainder)).includes(number);
  }

  #readBlock(remainder: number): Float64Array {
    try {
      return numbersIn(Buffer.concat(readBlocks(this.#file, [`${remainder}`])));
    } catch (error) {
      throw new LostFirsts(this.#file.path, error);
    }
  }
}

/**
 * Writes the first clicks of files of sums, unless they are there already.
 * @param lease that of the counts
 * @param pause is called between short pieces of work
 * @throws Superseded
 */
export async function writeFirsts(
  folder: string,
  lease: Lease,
  heads: readonly SumsHead[],
  pause: () => Promise<void>,
): Promise<void> {
  const before = await listFirsts(folder);
  const of = heads.map(({ name }) => name);
  if (isOf(before.at(-1), of)) return;
  const size = heads.reduce((sum, { firsts }) => sum + firsts, 0);
  const numbers = Array.from({ length: Math.ceil(size / PER_BLOCK) }, (): number[] => []);
  for (const head of heads) {
    for (const first of readFirsts(head)) numbers[Math.abs(first) % numbers.length]?.push(first);
    await pause();
  }
  const blocks = numbers.map((some, at): Block => ({ name: `${at}`, bytes: bytesOf(some) }));
  await pause();
  const path = `${folder}/counts-firsts.${Date.now()}.sums`;
  await replaceSums(path, encodeBlocks(VERSION, { of, size }, blocks), lease);
  for (const other of before) if (other !== path) await removeFile(other);
}

function isOf(path: string | undefined, names: readonly string[]): boolean {
  if (path === undefined) return names.length === 0;
  try {
    return [...new SummedFirsts(path).of].join() === names.join();
  } catch {
    return false;
  }
}
