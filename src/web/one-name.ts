import type { FastifyRequest } from 'fastify';
import type { ReportFilter } from '../store/counters.ts';
import { breakdownsOf } from '../store/engagement.ts';
import { addressOf, namesIn } from './filters.ts';
import { type Html, html, shownName } from './html.ts';

/**
 * Leads from a view that was asked for several names to the same view of each, and to the clicks
 * that have all of them.
 * @param canFilterLive whether Live takes these names
 */
export function viewsOfOneName(
  { url, query }: FastifyRequest,
  names: ReportFilter,
  canFilterLive: boolean,
): Html {
  const [path = '/'] = url.split('?');
  const asked = query as Readonly<Record<string, string>>;
  const none = Object.fromEntries(namesIn(names).map((name) => [name, undefined]));
  const { by } = asked;
  const ways = namesIn(names).flatMap((field) => {
    const name = names[field] ?? '';
    const isCounted = by === undefined || breakdownsOf({ [field]: name }).some((one) => one === by);
    const address = addressOf(path, { ...asked, ...none, [field]: name });
    return isCounted ? html`<li><a href="${address}">The ${field} ${shownName(name)}</a></li>` : [];
  });
  return html`<ul>${ways}${
    canFilterLive &&
    html`<li><a href="${addressOf('/live', { ...names })}">The last clicks that have all of them</a>, in Live</li>`
  }</ul>`;
}
