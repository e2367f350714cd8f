import { type Detail, shownTarget } from '../lib/logger.ts';
import { getOrMake } from '../lib/values.ts';
import { parsePlace, placeKey } from '../link/place.ts';
import type {
  Report,
  ReportBy,
  ReportFilter,
  ReportQuery,
  ReportRow,
  Reports,
} from '../store/counters.ts';
import { isNamed } from '../store/engagement.ts';
import { BadRequest } from './errors.ts';
import { type Html, html } from './html.ts';

/** A target or tag of fewer messages than these may tell who somebody is. */
const FEWEST_MESSAGES = 5;
/** Stands for what `log { detail }` hides. */
export const NOT_SHOWN = '(not shown)';
/** Characters of the longest host with a port: a longer one is the user of a URL that was cut. */
const MAX_HOST = 259;

/** A row whose key may be shown. */
export interface ShownRow extends ReportRow {
  /** The key as it is counted, where it is hidden: to be compared, never shown. */
  readonly counted?: string;
}

export interface ShownReport extends Report {
  readonly rows: readonly ShownRow[];
}

/**
 * Reports as `log { detail }` allows the page to show them. Each row stays a row of its own, with
 * its numbers; what may be about one person is taken out of its key.
 */
export class ShownReports {
  readonly #reports: Pick<Reports, 'report'>;
  readonly #detail: () => Detail;

  /** @param detail as of now */
  constructor(reports: Pick<Reports, 'report'>, detail: () => Detail) {
    this.#reports = reports;
    this.#detail = detail;
  }

  /** Whether a breakdown is shown. */
  shows(by: ReportBy): boolean {
    return by !== 'domain' || this.#detail() !== 'none';
  }

  /** A paragraph of a page about hidden names; undefined where none is hidden. */
  get note(): Html | undefined {
    const detail = this.#detail();
    return detail === 'full'
      ? undefined
      : html`<p class="quiet">With <code>log { detail = ${detail} }</code> ${HIDES[detail]}, and tags of fewer than ${FEWEST_MESSAGES} messages have no name.</p>`;
  }

  /** @throws BadRequest for a breakdown that is not shown; NotCounted, StoreUnavailable */
  async report(query: ReportQuery): Promise<ShownReport> {
    const { by } = query;
    if (!this.shows(by)) {
      throw new BadRequest(
        `by ${by}: log { detail = none } hides the domains of recipients: expected another breakdown`,
      );
    }
    const report = await this.#reports.report(query);
    const rows = shownRows(by, report.rows, this.#detail());
    return rows === report.rows ? report : { ...report, rows: [...rows].sort(byKey) };
  }

  /** @throws BadRequest for a tag that too few messages have had for as long as tags are counted */
  async assertShown({ tag }: ReportFilter): Promise<void> {
    const detail = this.#detail();
    if (tag === undefined || detail === 'full') return;
    const { total } = await this.#reports.report({ by: 'day', tag });
    if ((total.messages ?? 0) >= FEWEST_MESSAGES) return;
    throw new BadRequest(
      `tag: log { detail = ${detail} } hides tags of fewer than ${FEWEST_MESSAGES} messages: expected another tag, a campaign or a pathway`,
    );
  }
}

/** Rows of a report as they may be shown, in their order. */
export function shownRows(
  by: ReportBy,
  rows: readonly ReportRow[],
  detail: Detail,
): readonly ShownRow[] {
  const showKey = KEYS[by];
  if (detail === 'full' || showKey === undefined) return rows;
  // Many targets have the same host, and parsing a URL is slow.
  const hosts = new Map<string, string>();
  const hostOf = (origin: string) => getOrMake(hosts, origin, () => shownHost(origin, detail));
  return rows.map((row): ShownRow => {
    const key = isNamed(row.key) ? showKey(row, { detail, hostOf }) : row.key;
    return key === row.key ? row : { ...row, key, counted: row.key };
  });
}

/** Whether a row is about one name that is shown, so that a view can be narrowed to it. */
export function isShownName(key: string): boolean {
  return isNamed(key) && key !== NOT_SHOWN;
}

/** The names that each `log { detail }` hides beside tags. */
const HIDES = {
  none: 'targets and recipients’ domains are not shown',
  domain: `targets that people clicked in fewer than ${FEWEST_MESSAGES} messages show their host alone`,
} as const;

/** What keys are shown by. */
interface Limit {
  readonly detail: Detail;
  /** What is shown in place of the URL that begins so. */
  hostOf(origin: string): string;
}

/** Shows the keys of each breakdown; absent for those that tell nobody's name. */
const KEYS: Readonly<Record<ReportBy, ((row: ReportRow, limit: Limit) => string) | undefined>> = {
  campaign: undefined,
  link: (row, limit) => shownLabel(row.key, row, limit),
  position: (row, limit) => {
    const place = parsePlace(row.key);
    if (place === undefined) return NOT_SHOWN;
    return placeKey({ ...place, label: shownLabel(place.label, row, limit) });
  },
  part: undefined,
  pathway: undefined,
  tag: ({ key, messages = 0 }) => (messages >= FEWEST_MESSAGES ? key : NOT_SHOWN),
  // Shown or refused as a whole.
  domain: undefined,
  day: undefined,
  hour: undefined,
};

/** @param label the name of a link, or else its target: counts don't say which of them it is */
function shownLabel(label: string, row: ReportRow, { detail, hostOf }: Limit): string {
  const origin = ORIGIN.exec(label)?.[0];
  if (origin === undefined) return label;
  const areMany = detail === 'domain' && row.peopleUniqueClicks >= FEWEST_MESSAGES;
  return areMany ? label : hostOf(origin);
}

/**
 * The name of a link, as far as it is shown: a sender may give a URL as the name, which says as much
 * as the target.
 */
export function shownName(name: string | undefined, detail: Detail): string | undefined {
  return detail !== 'full' && name !== undefined && ORIGIN.test(name) ? undefined : name;
}

/** A URL up to its host and port. */
const ORIGIN = /^\s*https?:[/\\]*[^/\\?#]*/i;

function shownHost(origin: string, detail: Detail): string {
  const { host = '' } = shownTarget(detail, origin);
  return host !== '' && host.length <= MAX_HOST ? `${host}/…` : NOT_SHOWN;
}

function byKey(a: ReportRow, b: ReportRow): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
