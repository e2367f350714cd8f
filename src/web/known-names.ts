import type { Detail } from '../lib/logger.ts';
import {
  REPORT_SCOPES,
  type ReportRow,
  type ReportScope,
  type Reports,
} from '../store/counters.ts';
import { selectionOf } from './filters.ts';
import { isShownName, shownRows } from './shown-reports.ts';

/** The names that a filter can have, those with the most messages first. */
export type Names = Readonly<Record<ReportScope, readonly string[]>>;

/** The rows of these names. */
type Known = Readonly<Record<ReportScope, readonly ReportRow[]>>;

const NOTHING_KNOWN: Known = { campaign: [], pathway: [], tag: [] };
/** Names of each filter: a page has them all. */
const MAX_NAMES = 100;
/** How long they are used before they are read again: reading them takes as long as a view. */
const FRESH_MS = 60_000;

/** The campaigns, pathways and tags of the last 30 days, as suggestions for filters. */
export class KnownNames {
  readonly #reports: Pick<Reports, 'report'>;
  readonly #detail: () => Detail;
  #known: Known | undefined;
  #reading: Promise<Known> | undefined;
  #readAt = Number.NEGATIVE_INFINITY;

  /** @param detail `log { detail }` as of now */
  constructor(reports: Pick<Reports, 'report'>, detail: () => Detail) {
    this.#reports = reports;
    this.#detail = detail;
  }

  /** Nobody waits for names while there are older ones; where they cannot be read, there are none. */
  async read(): Promise<Names> {
    const known = await this.#recent();
    const shown = (by: ReportScope) =>
      shownRows(by, known[by], this.#detail()).flatMap(({ key }) => (isShownName(key) ? key : []));
    return { campaign: shown('campaign'), pathway: shown('pathway'), tag: shown('tag') };
  }

  async #recent(): Promise<Known> {
    if (performance.now() - this.#readAt >= FRESH_MS) {
      this.#reading ??= this.#readNow()
        .catch(() => NOTHING_KNOWN)
        .finally(() => {
          this.#reading = undefined;
        });
    }
    return this.#known ?? (await this.#reading) ?? NOTHING_KNOWN;
  }

  async #readNow(): Promise<Known> {
    const period = selectionOf({});
    const known = REPORT_SCOPES.map(async (by) => {
      const { rows } = await this.#reports.report({ by, ...period });
      const named = rows.filter(({ key }) => isShownName(key));
      named.sort((a, b) => (b.messages ?? 0) - (a.messages ?? 0));
      return [by, named.slice(0, MAX_NAMES)] as const;
    });
    this.#known = { ...NOTHING_KNOWN, ...Object.fromEntries(await Promise.all(known)) };
    this.#readAt = performance.now();
    return this.#known;
  }
}
