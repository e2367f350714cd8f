import type { ReportBy } from '../store/counters.ts';
import { addressOf, type Selection } from './filters.ts';
import { type Html, html, shownName } from './html.ts';
import { isShownName } from './shown-reports.ts';

/**
 * The name of a row, which leads to the view of that campaign, pathway, tag or day. A row of several
 * names, of none, or of one that is hidden leads nowhere: no view is narrowed to it.
 */
export function rowName(by: ReportBy, key: string, selection: Selection): Html {
  if (!isShownName(key)) return html`<i>${key === '' ? (NONE[by] ?? '(none)') : key}</i>`;
  const view = viewOf(by, key, selection);
  return view === undefined ? shownName(key) : html`<a href="${view}">${shownName(key)}</a>`;
}

const NONE: Readonly<Partial<Record<ReportBy, string>>> = {
  campaign: '(no campaign)',
  pathway: '(no pathway)',
  tag: '(no tag)',
  domain: '(several domains)',
};

function viewOf(by: ReportBy, key: string, selection: Selection): string | undefined {
  const { since, until } = selection;
  if (by === 'campaign') return addressOf('/campaign', { campaign: key, since, until });
  if (by === 'pathway' || by === 'tag') return addressOf('/', { [by]: key, since, until });
  if (by !== 'day') return undefined;
  const path = selection.campaign === undefined ? '/' : '/campaign';
  return addressOf(path, { ...selection, since: key, until: key });
}
