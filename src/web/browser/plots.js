import uPlot from '/assets/uPlot.esm.js';
import { DAY, HOUR, optionsOf, valuesOf } from './plot-options.js';

// Draws each `<figure class="plot">` from the table inside it, and folds the table away. Without this script, or where it
// fails, the tables stay open and say the same.

/** @import { Table } from './plot-options.js' */

const EXACT = new Intl.NumberFormat('en', { maximumFractionDigits: 2 });

/**
 * The plots that are drawn, by their figures.
 * @type {Map<HTMLElement, uPlot>}
 */
export const plots = new Map();

/** @param {HTMLElement} figure */
function draw(figure) {
  const canvas = figure.querySelector('.canvas');
  const table = figure.querySelector('table');
  if (!(canvas instanceof HTMLElement && table instanceof HTMLTableElement)) return;
  const kind = figure.dataset['plot'] ?? 'bars';
  const data = readTable(table, kind);
  if (!(data.rows.length && data.series.length)) return;
  plots.get(figure)?.destroy();
  canvas.replaceChildren();
  const values = writeKeys(canvas, kind, data);
  const options = optionsOf(kind, data, canvas);
  const xs = data.rows.map(({ x }) => x);
  const plot = new uPlot(
    {
      ...options,
      hooks: { setCursor: [({ cursor }) => values(cursor.idx)] },
    },
    [xs, ...valuesOf(kind, data)],
    canvas,
  );
  plots.set(figure, plot);
  readByKeys(plot, figure.querySelector('figcaption')?.textContent ?? '');
}

/**
 * @param {HTMLTableElement} table
 * @param {string} kind
 * @returns {Table}
 */
function readTable(table, kind) {
  const rows = [...(table.tBodies[0]?.rows ?? [])];
  const heads = [...(table.tHead?.rows[0]?.cells ?? [])];
  const time = rows[0]?.querySelector('time')?.dateTime;
  return {
    step: time?.includes('T') ? HOUR : DAY,
    rows: rows.map(({ cells: [first] }, n) => ({
      label: first?.textContent?.trim() ?? '',
      x: kind === 'bars' ? n : abscissa(first),
    })),
    series: heads.flatMap((head, column) => {
      const name = head.dataset['series'];
      if (name === undefined) return [];
      const values = rows.map(({ cells }) => numberIn(cells[column]));
      return [{ name, label: head.textContent?.trim() ?? '', values }];
    }),
  };
}

/** @param {HTMLTableCellElement | undefined} cell */
function abscissa(cell) {
  const time = cell?.querySelector('time');
  return time ? Date.parse(time.dateTime) / 1000 : (numberIn(cell) ?? 0);
}

/** @param {HTMLTableCellElement | undefined} cell */
function numberIn(cell) {
  const value = cell?.querySelector('data')?.value;
  return value === undefined ? null : Number(value);
}

/**
 * Writes the key of the series, and beside it the values under the cursor.
 * @param {HTMLElement} canvas
 * @param {string} kind
 * @param {Table} table
 * @returns {(row: number | null | undefined) => void} shows the values of a row
 */
function writeKeys(canvas, kind, { rows, series }) {
  const keys = document.createElement('div');
  keys.className = 'keys';
  for (const { name, label } of series) {
    const key = document.createElement('span');
    key.className = 'key';
    key.dataset['series'] = name;
    key.textContent = kind === 'time' && name === 'messages' ? `${label} (right axis)` : label;
    keys.append(key);
  }
  const output = document.createElement('output');
  keys.append(output);
  canvas.append(keys);
  return (row) => {
    const at = row === null || row === undefined ? undefined : rows[row];
    const told = series.map(
      ({ label, values }) => `${label} ${EXACT.format(values[row ?? 0] ?? 0)}`,
    );
    output.textContent = at ? `${at.label}: ${told.join(', ')}` : '';
  };
}

/**
 * Lets the arrow keys move the cursor, as a mouse does.
 * @param {uPlot} plot
 * @param {string} caption
 */
function readByKeys(plot, caption) {
  const xs = plot.data[0];
  plot.root.tabIndex = 0;
  plot.root.setAttribute('role', 'img');
  plot.root.setAttribute('aria-label', `Plot: ${caption}. The table below says the same.`);
  plot.root.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const from = plot.cursor.idx ?? (step > 0 ? -1 : xs.length);
    const to = Math.min(xs.length - 1, Math.max(0, from + step));
    const along = plot.valToPos(xs[to] ?? 0, 'x');
    const { width, height } = plot.over.getBoundingClientRect();
    const lies = plot.scales['x']?.ori === 1;
    plot.setCursor(lies ? { left: width / 2, top: along } : { left: along, top: height / 2 });
  });
}

const figures = [...document.querySelectorAll('figure.plot')].filter(
  (figure) => figure instanceof HTMLElement,
);
const drawAll = () => {
  for (const figure of figures) draw(figure);
};
const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const figure = target.parentElement;
    const plot = figure && plots.get(figure);
    const width = target.clientWidth;
    if (plot && width && width !== plot.width) draw(figure);
  }
});

drawAll();
for (const [figure] of plots) {
  for (const details of figure.querySelectorAll('details')) details.open = false;
  for (const canvas of figure.querySelectorAll('.canvas')) resized.observe(canvas);
}
for (const query of ['(prefers-color-scheme: dark)', 'print']) {
  matchMedia(query).addEventListener('change', drawAll);
}
