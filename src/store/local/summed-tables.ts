import type { Numbers } from '../counting.ts';
import type { Rows, Table } from '../tallies.ts';
import { blockName, readTables, type SumsHead } from './count-sums.ts';

/** Rows of the tables in memory, in some 50 MB; a report of more reads the others again. */
const MAX_ROWS = 250_000;
const NO_ROWS: ReadonlyMap<string, Numbers> = new Map();

/** The tables of files of sums that reports asked for: the next report has them in memory. */
export class SummedTables {
  /** The tables of each block that was read, by day and block. */
  readonly #read = new Map<string, Rows[]>();
  #rows = 0;

  /** Forgets the tables where there is no room for others. */
  makeRoom(): void {
    if (this.#rows < MAX_ROWS) return;
    this.#read.clear();
    this.#rows = 0;
  }

  /**
   * Reads tables of a day, and returns the rows of each.
   * @throws Error where the file is gone, cannot be read, or holds something else
   */
  rowsOf(head: SumsHead, tables: readonly Table[]): ReadonlyMap<string, Numbers>[] {
    const blocks = new Map(
      tables.map((table) => [blockName(table), this.#read.get(nameOf(table))]),
    );
    const missing = [...blocks].flatMap(([block, known]) => (known === undefined ? block : []));
    const read = missing.length === 0 ? [] : readTables(head, missing);
    for (const one of read) {
      const block = blockName(one.table);
      blocks.set(block, [...(blocks.get(block) ?? []), one]);
    }
    if (this.#rows < MAX_ROWS) {
      for (const block of missing) this.#read.set(`${head.day} ${block}`, blocks.get(block) ?? []);
      for (const { rows } of read) this.#rows += rows.size;
    }
    return tables.map(
      (table) =>
        blocks.get(blockName(table))?.find(({ table: { by } }) => by === table.by)?.rows ?? NO_ROWS,
    );
  }
}

function nameOf(table: Table): string {
  return `${table.day} ${blockName(table)}`;
}
