import { addressOf, countedSince, namesIn, type Selection } from './filters.ts';
import { type Html, html, shownName } from './html.ts';

/**
 * A view of days in which nothing was counted says why that may be, and where to go on.
 * @param began the day or hour of the first message of its campaign
 */
export function nothingCounted(selection: Selection, began?: string): Html {
  const { since, until } = selection;
  const [by] = namesIn(selection);
  const head = html`<h2>Nothing was counted in these days</h2>`;
  if (by === undefined) return html`<section>${head}${FIRST_STEPS}</section>`;
  const first = began && countedSince(began.slice(0, 10));
  return html`<section>${head}<p>There was neither mail nor a click of the ${by} ${shownName(selection[by] ?? '')} in these days.</p>
<ul>${
    first !== undefined &&
    html`<li>It began on ${first}: <a href="${addressOf('/campaign', { campaign: selection.campaign, since: first })}">show it from then on</a></li>`
  }
<li><a href="${addressOf('/rows', { by, since, until })}">Every ${by} of these days</a></li></ul></section>`;
}

/** The first day of an operator. */
const FIRST_STEPS = html`<ul>
<li>A message counts when its links are tracked. For each message the log says whether they are, or why not, and <code>clickmilter explain</code> says what the configuration decides.</li>
<li><code>clickmilter demo</code> sends a newsletter through the service and clicks its links.</li>
<li>A click counts some seconds after it was made. <a href="/live">Live</a> shows it at once.</li>
</ul>`;
