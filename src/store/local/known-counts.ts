import { basename } from 'node:path';
import { NumberSet, numberOf } from '../../lib/number-set.ts';
import { Turns } from '../../lib/turns.ts';
import { clickNumbers } from '../counting.ts';
import type { Tallies } from '../tallies.ts';
import {
  type ClickSum,
  type CountFile,
  type CountLine,
  readCountFile,
  type SizedCountFile,
} from './count-file.ts';
import { readHead, type SumsFile, type SumsHead } from './count-sums.ts';

/**
 * Messages and links whose first click is remembered, in some 130 MB; first clicks on others are
 * not counted as such.
 */
const MAX_FOLLOWED = 8_000_000;
type Found = ReturnType<typeof readHead>;

/** What is known of the files of counts so far: files of sums, and the lines that were read. */
export class KnownCounts {
  /** Lines that could not be read. */
  unreadable = 0;
  /** The files of sums in use, by their day. */
  readonly sums = new Map<string, SumsHead>();
  /** How much of each file is known, by its name. */
  readonly #read = new Map<string, number>();
  /** Messages and links that have been clicked, and by people. */
  readonly #clicked: NumberSet;

  private constructor(firsts: number) {
    this.#clicked = new NumberSet(Math.min(firsts, MAX_FOLLOWED));
  }

  /**
   * Reads the heads of files of sums.
   * @param files those that have counts now: sums of others, or of more, say nothing
   * @param failed is called with each that cannot be read
   */
  static async of(
    sums: Iterable<SumsFile>,
    files: readonly SizedCountFile[],
    failed: (file: SumsFile, error: unknown) => void,
  ): Promise<KnownCounts> {
    const turns = new Turns();
    const found: Found[] = [];
    for (const file of sums) {
      try {
        found.push(readHead(file));
      } catch (error) {
        failed(file, error);
      }
      await turns.next();
    }
    const sizes = new Map(files.map(({ path, size }) => [basename(path), size]));
    const valid = found.filter(({ head }) =>
      [...head.read].every(([name, bytes]) => (sizes.get(name) ?? -1) >= bytes),
    );
    const known = new KnownCounts(valid.reduce((sum, { firsts }) => sum + firsts.length, 0));
    for (const one of valid) known.#add(one);
    return known;
  }

  #add({ head, firsts }: Found): void {
    this.sums.set(head.day, head);
    this.unreadable += head.unreadable;
    for (const [name, bytes] of head.read) this.#read.set(name, bytes);
    for (const first of firsts) this.#isFirst(first);
  }

  /** How much of a file is known. */
  bytesOf({ path }: CountFile): number {
    return this.#read.get(basename(path)) ?? 0;
  }

  /** Whether no file has lost what is known of it. */
  isOf(files: readonly SizedCountFile[]): boolean {
    const sizes = new Map(files.map(({ path, size }) => [basename(path), size]));
    return [...this.#read].every(([name, bytes]) => (sizes.get(name) ?? -1) >= bytes);
  }

  /**
   * Adds up the lines of a file that are not known yet.
   * @param firsts gets the numbers of what was clicked for the first time
   * @param pause is called between short pieces of work
   */
  async readOn(
    file: CountFile,
    tallies: Tallies,
    pause: () => Promise<unknown>,
    firsts?: number[],
  ): Promise<void> {
    for await (const { lines, end } of readCountFile(file, this.bytesOf(file))) {
      for (const line of lines) this.#addLine(line, tallies, firsts);
      this.#read.set(basename(file.path), end);
      await pause();
    }
  }

  #addLine(line: CountLine | undefined, tallies: Tallies, firsts: number[] | undefined): void {
    if (line === undefined) {
      this.unreadable++;
    } else if ('sent' in line) {
      const { messages, links } = line.sent;
      tallies.add(line.sent, { messages, links });
    } else {
      const { counted, clicks } = line.clicked;
      tallies.add(counted, clickNumbers(clicks, this.#firstsOf(line.clicked, firsts)));
    }
  }

  #firstsOf({ messageId, counted, clicks }: ClickSum, firsts: number[] | undefined) {
    const [message, link] = [numberOf(messageId), numberOf(`${messageId} ${counted.link.label}`)];
    const isOfPeople = clicks.people > 0;
    return {
      link: this.#isFirst(link, firsts),
      message: this.#isFirst(message, firsts),
      linkOfPeople: isOfPeople && this.#isFirst(-link, firsts),
      messageOfPeople: isOfPeople && this.#isFirst(-message, firsts),
    };
  }

  #isFirst(number: number, firsts?: number[]): boolean {
    if (this.#clicked.size >= MAX_FOLLOWED || !this.#clicked.add(number)) return false;
    firsts?.push(number);
    return true;
  }
}
