import { type Content, type Html, html } from './html.ts';
import { countLink } from './numbers.ts';

/** What a series counts: it gives a plot its colour and pattern. */
type SeriesName = 'people' | 'automatic' | 'messages';

/** A column of numbers. */
export interface Series<R> {
  readonly name: SeriesName;
  readonly title: string;
  readonly value: (row: R) => number;
  /** Where the number leads. */
  readonly address: (row: R) => string;
}

export interface PlotOptions<R> {
  /** The scale of the first column. */
  readonly kind: 'time' | 'log-hours' | 'bars';
  readonly caption: string;
  readonly first: { readonly title: string; readonly cell: (row: R) => Content };
  readonly series: readonly Series<R>[];
  readonly rows: readonly R[];
}

/** A table that the scripts of the page, where they run, draw as a plot. */
export function plot<R>({ kind, caption, first, series, rows }: PlotOptions<R>): Html {
  const heads = series.map(
    ({ name, title }) => html`<th scope="col" data-series="${name}">${title}</th>`,
  );
  const lines = rows.map(
    (row) =>
      html`<tr><td>${first.cell(row)}</td>${series.map(({ value, address }) => html`<td>${countLink(value(row), address(row))}</td>`)}</tr>`,
  );
  return html`<figure class="plot" data-plot="${kind}"><figcaption>${caption}</figcaption><div class="canvas"></div>
<details open><summary>Table</summary><div class="table" tabindex="0"><table>
<thead><tr><th scope="col">${first.title}</th>${heads}</tr></thead>
<tbody>${lines}</tbody>
</table></div></details></figure>`;
}

/** A UTC day or hour (YYYY-MM-DDTHH) as the first column of a plot over time. */
export function timeCell(key: string): Html {
  const iso = key.length > 10 ? `${key}:00Z` : key;
  return html`<time datetime="${iso}">${key.replace('T', ' ')}${key.length > 10 && ':00'}</time>`;
}
