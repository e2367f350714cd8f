import { NumberSet, numberOf } from '../../lib/number-set.ts';
import { Turns } from '../../lib/turns.ts';
import type { ClickSum } from '../booked-clicks.ts';
import { allOf, clickNumbers } from '../counting.ts';
import type { Tallies } from '../tallies.ts';
import {
  type CountFile,
  type CountLine,
  readCountFile,
  type SizedCountFile,
} from './count-file.ts';
import { readFirsts, readHead, type SumsFile, type SumsHead } from './count-sums.ts';
import { SummedFirsts } from './summed-firsts.ts';

/**
 * Messages and links whose first click is remembered, in some 130 MB; first clicks on others are
 * not counted as such.
 */
const MAX_FOLLOWED = 8_000_000;
/** Gets each file that cannot be read. */
type Failed = (file: { readonly path: string }, error: unknown) => void;

/**
 * Reads the heads of files of sums.
 * @param files those that have counts now: sums of others, or of more, say nothing
 */
export async function readHeads(
  sums: Iterable<SumsFile>,
  files: readonly SizedCountFile[],
  failed: Failed,
): Promise<SumsHead[]> {
  const turns = new Turns();
  const sizes = new Map(files.map(({ name, size }) => [name, size]));
  const isWithin = ({ read }: SumsHead) =>
    [...read].every(([name, bytes]) => (sizes.get(name) ?? -1) >= bytes);
  const heads: SumsHead[] = [];
  for (const file of sums) {
    try {
      const head = readHead(file);
      if (isWithin(head)) heads.push(head);
    } catch (error) {
      failed(file, error);
    }
    await turns.next();
  }
  return heads;
}

/** What lines add up to that is not in tables. */
export interface Clicked {
  /** Messages and links that were clicked for the first time, by their numbers. */
  readonly firsts: number[];
  /** Clicks on each link of each message, by its number. */
  readonly links: Map<number, number>;
}

/** What is known of the files of counts so far: files of sums, and the lines that were read. */
export class KnownCounts {
  /** Lines that could not be read. */
  unreadable = 0;
  /** The files of sums in use, by their day. */
  readonly sums = new Map<string, SumsHead>();
  /** How much of each file is known, by its name. */
  readonly #read = new Map<string, number>();
  /** Messages and links that have been clicked, and by people. */
  readonly #clicked = new NumberSet();
  /** Those that are not read. */
  #summed: SummedFirsts | undefined;

  /**
   * Begins with files of sums.
   * @param firsts the file of first clicks, which is used if it is of these
   */
  static async of(
    sums: Iterable<SumsFile>,
    files: readonly SizedCountFile[],
    failed: Failed,
    firsts?: string,
  ): Promise<KnownCounts> {
    const known = new KnownCounts();
    for (const head of await readHeads(sums, files, failed)) known.#addHead(head);
    const names = new Set([...known.sums.values()].map(({ name }) => name));
    try {
      const summed = firsts === undefined ? undefined : new SummedFirsts(firsts);
      if (summed && [...summed.of].every((name) => names.has(name))) known.#summed = summed;
    } catch (error) {
      if (firsts !== undefined) failed({ path: firsts }, error);
    }
    const turns = new Turns();
    for (const head of known.sums.values()) {
      if (known.#summed?.of.has(head.name)) continue;
      try {
        for (const first of readFirsts(head)) known.#follow(first);
      } catch (error) {
        known.#forget(head);
        failed(head, error);
      }
      await turns.next();
    }
    return known;
  }

  #addHead(head: SumsHead): void {
    this.sums.set(head.day, head);
    this.unreadable += head.unreadable;
    for (const [name, bytes] of head.read) this.#read.set(name, bytes);
  }

  #forget(head: SumsHead): void {
    this.sums.delete(head.day);
    this.unreadable -= head.unreadable;
    for (const name of head.read.keys()) this.#read.delete(name);
  }

  /** How much of a file is known. */
  bytesOf({ name }: CountFile): number {
    return this.#read.get(name) ?? 0;
  }

  /** Whether each file has what is known of it: its writer takes lines back where its disk is full. */
  isOf(files: readonly SizedCountFile[]): boolean {
    let there = 0;
    for (const { name, size } of files) {
      const bytes = this.#read.get(name);
      if (bytes === undefined) continue;
      if (size < bytes) return false;
      there++;
    }
    return there === this.#read.size;
  }

  /**
   * Adds up the lines of a file that are not known yet.
   * @param pause is called between short pieces of work
   * @param clicked gets what was clicked
   * @throws LostFirsts
   */
  async readOn(
    file: CountFile,
    tallies: Tallies,
    pause: () => Promise<unknown>,
    clicked?: Clicked,
  ): Promise<void> {
    for await (const { lines, end } of readCountFile(file, this.bytesOf(file))) {
      for (const line of lines) this.#addLine(line, tallies, clicked);
      this.#read.set(file.name, end);
      await pause();
    }
  }

  #addLine(line: CountLine | undefined, tallies: Tallies, clicked: Clicked | undefined): void {
    if (line === undefined) {
      this.unreadable++;
    } else if ('sent' in line) {
      const { messages, links } = line.sent;
      tallies.add(line.sent, { messages, links });
    } else {
      const { counted, clicks } = line.clicked;
      tallies.add(counted, clickNumbers(clicks, this.#firstsOf(line.clicked, clicked)));
    }
  }

  #firstsOf({ messageId, counted, clicks }: ClickSum, clicked: Clicked | undefined) {
    const message = numberOf(messageId);
    const link = linkNumber(messageId, counted.link.label);
    const isOfPeople = clicks.people > 0;
    const firsts = clicked?.firsts;
    clicked?.links.set(link, (clicked.links.get(link) ?? 0) + allOf(clicks));
    return {
      link: this.#isFirst(link, firsts),
      message: this.#isFirst(message, firsts),
      linkOfPeople: isOfPeople && this.#isFirst(-link, firsts),
      messageOfPeople: isOfPeople && this.#isFirst(-message, firsts),
    };
  }

  #isFirst(number: number, firsts: number[] | undefined): boolean {
    if (this.#clicked.has(number) || this.#summed?.has(number)) return false;
    const isFollowed = this.#follow(number);
    if (isFollowed) firsts?.push(number);
    return isFollowed;
  }

  /** @returns false where there are too many */
  #follow(number: number): boolean {
    const isFull = this.#clicked.size + (this.#summed?.size ?? 0) >= MAX_FOLLOWED;
    if (!isFull) this.#clicked.add(number);
    return !isFull;
  }
}

/** The number of a link of a message, as it is counted. */
export function linkNumber(messageId: string, label: string): number {
  return numberOf(`${messageId} ${label}`);
}
