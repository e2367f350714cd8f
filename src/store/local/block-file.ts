import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { BoundedCache } from '../../lib/bounded-cache.ts';
import { numberOf } from '../../lib/number-set.ts';
import { parseJson } from '../../lib/values.ts';
import { countOf } from '../counting.ts';

/*
 * A file of blocks, of which a reader reads those that it needs. It has a line with a check sum and
 * a head in JSON; then an index, in numbers of 8 bytes, with three for each block: the digest of
 * its name, its end and its check sum, in the order of the digests; then the blocks. The first
 * check sum is that of the head and the index.
 *
 * Such files are read without a thread: a year of days has many short ones, and handing each to a
 * thread and back takes ten times as long as to read it. Callers take turns with other work.
 */

/** A file without its blocks, and where they are. */
export interface BlockFile {
  readonly path: string;
  readonly bytes: number;
  /** Its head; absent members were not written. */
  readonly head: Readonly<Record<string, unknown>>;
  /** Where the first block begins. */
  readonly start: number;
  readonly index: Float64Array;
}

export interface Block {
  readonly name: string;
  readonly bytes: Buffer;
}

/** A file of blocks that is damaged, cut, or of another program. */
export class UnusableBlocks extends Error {
  override readonly name = 'UnusableBlocks';

  constructor(where: string, expected: string) {
    super(`sums of counts: ${where}: expected ${expected}`);
  }
}

/** Most heads are shorter, so that one read does, into memory that Node.js has at hand. */
const FIRST_READ = 4000;
const MAX_HEAD = 1024 * 1024;
/** Bytes and numbers of the index for each block. */
const NUMBER_BYTES = 8;
const PER_BLOCK = 3;

/** @param version of what is in the blocks */
export function encodeBlocks(version: number, about: object, blocks: readonly Block[]): Buffer {
  const sorted = blocks
    .map(({ name, bytes }) => ({ number: numberOf(name), bytes }))
    .sort((a, b) => a.number - b.number);
  let end = 0;
  const index = bytesOf(
    sorted.flatMap(({ number, bytes }) => {
      end += bytes.length;
      return [number, end, crc32(bytes)];
    }),
  );
  const head = JSON.stringify({ version, ...about, blocks: blocks.length });
  return Buffer.concat([
    Buffer.from(`${checkOf(Buffer.from(head), index)} ${head}\n`),
    index,
    ...sorted.map(({ bytes }) => bytes),
  ]);
}

/** In one piece: for an empty array, zlib may give 0 in place of the sum before it. */
function checkOf(head: Buffer, index: Buffer): number {
  return crc32(Buffer.concat([head, index]));
}

/** @throws Error where the file is gone, cannot be read, or holds something else */
export function openBlocks(path: string, version: number): BlockFile {
  return within(path, (file) => {
    let read = readUpTo(file, FIRST_READ);
    if (!read.includes(10)) read = readUpTo(file, MAX_HEAD);
    const [jsonStart, headEnd] = [read.indexOf(32) + 1, read.indexOf(10)];
    const head = Object(parseJson(read.toString('utf8', jsonStart, headEnd)));
    if (head.version !== version) throw new UnusableBlocks('version', `${version}`);
    const blocks = countOf(head.blocks);
    if (blocks === undefined) throw new UnusableBlocks('blocks', 'a count');
    const start = headEnd + 1 + NUMBER_BYTES * PER_BLOCK * blocks;
    if (read.length < start) read = readUpTo(file, Math.min(start, fstatSync(file).size));
    if (read.length < start) throw new UnusableBlocks('size', `${start} bytes or more`);
    const numbers = read.subarray(headEnd + 1, start);
    const check = checkOf(read.subarray(jsonStart, headEnd), numbers);
    if (read.toString('utf8', 0, jsonStart) !== `${check} `)
      throw new UnusableBlocks('head', 'another check sum');
    const index = numbersIn(numbers);
    const bytes = start + (index.at(1 - PER_BLOCK) ?? 0);
    return { path, bytes, head, start, index };
  });
}

/** Reads the first bytes of a file: fewer where it has fewer. */
function readUpTo(file: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  return bytes.subarray(0, readSync(file, bytes, 0, length, 0));
}

export function hasBlock({ index }: BlockFile, name: string): boolean {
  return placeOf(index, name) !== undefined;
}

/**
 * Reads blocks. One that is not there is left out.
 * @throws Error as `openBlocks` does
 */
export function readBlocks({ path, start, index }: BlockFile, names: readonly string[]): Buffer[] {
  const places = names.flatMap((name) => placeOf(index, name) ?? []);
  if (places.length === 0) return [];
  return within(path, (file) =>
    places.map((at) => {
      const [from = 0, to = 0, check] = [index[at + 1 - PER_BLOCK], index[at + 1], index[at + 2]];
      const bytes = Buffer.allocUnsafe(to - from);
      const bytesRead = readSync(file, bytes, 0, bytes.length, start + from);
      if (bytesRead < bytes.length || crc32(bytes) !== check)
        throw new UnusableBlocks('blocks', 'another check sum');
      return bytes;
    }),
  );
}

/** The digests of names: a view looks for the same few in every file of a year. */
const digests = new BoundedCache<string, number>(100);

/** Where a block is in the index. */
function placeOf(index: Float64Array, name: string): number | undefined {
  const number = digests.getOrMake(name, () => numberOf(name));
  let [from, to] = [0, index.length / PER_BLOCK];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((index[PER_BLOCK * middle] ?? 0) < number) from = middle + 1;
    else to = middle;
  }
  return index[PER_BLOCK * from] === number ? PER_BLOCK * from : undefined;
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

/** Numbers as they are in a block. */
export function bytesOf(numbers: readonly number[] | Float64Array): Buffer {
  const { buffer, byteOffset, byteLength } = Float64Array.from(numbers);
  return Buffer.from(buffer, byteOffset, byteLength);
}

/** The numbers in a block. */
export function numbersIn(bytes: Buffer): Float64Array {
  const numbers = new Float64Array(Math.floor(bytes.length / NUMBER_BYTES));
  bytes.copy(new Uint8Array(numbers.buffer));
  return numbers;
}
