import { REPORT_SCOPES, type ReportScope, type Reports } from '../store/counters.ts';
import { isNamed } from '../store/engagement.ts';
import { selectionOf } from './filters.ts';

/** The names that a filter can have, those with the most messages first. */
export type Names = Readonly<Record<ReportScope, readonly string[]>>;

const NO_NAMES: Names = { campaign: [], pathway: [], tag: [] };
/** Names of each filter: a page has them all. */
const MAX_NAMES = 100;
/** How long they are used before they are read again: reading them takes as long as a view. */
const FRESH_MS = 60_000;

/** The campaigns, pathways and tags of the last 30 days, as suggestions for filters. */
export class KnownNames {
  readonly #reports: Reports;
  #names: Names | undefined;
  #reading: Promise<Names> | undefined;
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(reports: Reports) {
    this.#reports = reports;
  }

  /** Nobody waits for names while there are older ones; where they cannot be read, there are none. */
  async read(): Promise<Names> {
    if (performance.now() - this.#readAt >= FRESH_MS) {
      this.#reading ??= this.#readNow()
        .catch(() => NO_NAMES)
        .finally(() => {
          this.#reading = undefined;
        });
    }
    return this.#names ?? (await this.#reading) ?? NO_NAMES;
  }

  async #readNow(): Promise<Names> {
    const period = selectionOf({});
    const names = REPORT_SCOPES.map(async (by) => {
      const { rows } = await this.#reports.report({ by, ...period });
      const named = rows.filter(({ key }) => isNamed(key));
      named.sort((a, b) => (b.messages ?? 0) - (a.messages ?? 0));
      return [by, named.slice(0, MAX_NAMES).map(({ key }) => key)] as const;
    });
    this.#names = { ...NO_NAMES, ...Object.fromEntries(await Promise.all(names)) };
    this.#readAt = performance.now();
    return this.#names;
  }
}
