import { type Content, type Html, html } from './html.ts';

/** The subject of a column, which gives a plot its colour and pattern. */
export type SeriesName = 'people' | 'automatic' | 'messages';

/** A column: its head, and what it shows of a row. */
export interface Column<R> {
  readonly title: string;
  readonly cell: (row: R) => Content;
  /** Absent for a column that no plot draws. */
  readonly series?: SeriesName;
  /** Whether it holds texts, which begin at the left and may be wrapped; numbers end at the right. */
  readonly isText?: boolean;
}

/** How the rows of a table are written. */
export interface RowOptions<R> {
  /** The first column names the row. */
  readonly columns: readonly [Column<R>, ...Column<R>[]];
  /** Names a row for the scripts of the page. */
  readonly idOf?: (row: R) => string;
  /** Whether the cells of a row stand below each other on a telephone. */
  readonly stacks?: boolean;
}

export interface TableOptions<R> extends RowOptions<R> {
  /** The name of the table for screen readers. */
  readonly label: string;
  readonly rows: readonly R[];
  /** The last row, of the sum of all. */
  readonly foot?: R;
  /** Where all rows are, of which these may be some. */
  readonly all?: string;
  /** The address of the rows as CSV. */
  readonly csv: string;
}

/** A table in a box of its own, in which it scrolls where it is too wide for the page. */
export function table<R>({ label, rows, foot, all, csv, ...options }: TableOptions<R>): Html {
  const { columns } = options;
  const heads = columns.map(
    ({ title, series, isText }) =>
      html`<th scope="col"${classOf({ isText })}${series !== undefined && html` data-series="${series}"`}>${title}</th>`,
  );
  return html`<div class="table" role="region" aria-label="${label}" tabindex="0"><table class="numbers${options.stacks && ' stacks'}">
<thead><tr>${heads}</tr></thead>
<tbody>${rows.map((row) => tableRow(row, options))}</tbody>
${foot !== undefined && html`<tfoot>${tableRow(foot, options)}</tfoot>`}
</table></div>
<p class="quiet">${all !== undefined && html`<a href="${all}">All rows</a> `}<a href="${csv}" download>CSV</a></p>`;
}

/** A row of such a table. */
export function tableRow<R>(row: R, { columns, idOf, stacks }: RowOptions<R>): Html {
  const [first, ...others] = columns;
  const cells = others.map(
    (column) =>
      html`<td${classOf(column)}${stacks && html` data-title="${column.title}"`}>${column.cell(row)}</td>`,
  );
  return html`<tr${idOf && html` data-row="${idOf(row)}"`}><th scope="row">${first.cell(row)}</th>${cells}</tr>`;
}

function classOf({ isText = false }: { readonly isText?: boolean | undefined }): Content {
  return isText && html` class="text"`;
}

export interface PlotOptions<R> extends TableOptions<R> {
  /** A sentence below the plot. */
  readonly note?: string | false;
  /** The scale of the first column. */
  readonly kind: 'time' | 'log-hours' | 'bars';
}

/** A table that the scripts of the page draw as a plot, where they run. */
export function plot<R>({ kind, note = false, ...options }: PlotOptions<R>): Html {
  return html`<figure class="plot" data-plot="${kind}"><figcaption>${options.label}</figcaption><div class="canvas"></div>
${note && html`<p class="quiet">${note}</p>`}
<details open><summary>Table</summary>${table(options)}</details></figure>`;
}
