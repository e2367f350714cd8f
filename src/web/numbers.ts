import { type Html, html } from './html.ts';

/** A whole number for people: `12,345`. The first call of `toLocaleString` takes 20 ms. */
export const shownCount = (value: number): string =>
  String(value).replace(/\B(?=(?:\d{3})+$)/g, ',');

/** A share for people: `12.3%`, or a dash where there is none. */
export function shownShare(share: number | null): string {
  return share === null ? '–' : `${(100 * share).toFixed(1)}%`;
}

/** A share of a whole; null where there is no whole. */
export function shareOf(part: number, whole: number): number | null {
  return whole > 0 ? part / whole : null;
}

/** Why a rate may be above 100%, or missing. */
export const OF_EARLIER_MAIL =
  'More messages were clicked than sent in this time: people click older mail, too.';

/** A number that leads to the rows behind it. */
export function countLink(value: number, address: string): Html {
  return html`<data value="${value}"><a href="${address}">${shownCount(value)}</a></data>`;
}

/** A share that leads to the rows behind it. */
export function shareLink(share: number | null, address: string): Html | string {
  if (share === null) return shownShare(share);
  return html`<data value="${share}"><a href="${address}">${shownShare(share)}</a></data>`;
}
