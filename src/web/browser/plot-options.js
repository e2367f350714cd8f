import uPlot from '/assets/uPlot.esm.js';

// How a table is drawn: scales, axes, colours and patterns.

/**
 * What a table says: the seconds of a row of time, its rows by their labels, and the columns that are drawn.
 * @typedef {{ label: string, x: number }} Row
 * @typedef {{ name: string, label: string, values: (number | null)[] }} Series
 * @typedef {{ step: number, rows: Row[], series: Series[] }} Table
 */

/** How a series differs from the others beside its colour: dashes of its line, and strokes of its bars. */
const PATTERNS = new Map([
  ['automatic', { dash: [6, 4], hatch: -1 }],
  ['messages', { dash: [2, 3], hatch: 1 }],
]);
const PLAIN = { dash: [], hatch: 0 };

/**
 * Marks on the axis of hours since the first message.
 * @type {readonly (readonly [number, string])[]}
 */
const HOURS = [
  [1, '1 h'],
  [3, '3 h'],
  [6, '6 h'],
  [12, '12 h'],
  [24, '1 d'],
  [72, '3 d'],
  [168, '7 d'],
  [720, '30 d'],
  [2160, '90 d'],
  [8760, '1 y'],
];
/** In seconds. */
export const HOUR = 3600;
export const DAY = 24 * HOUR;
/** Distances of the marks on an axis of time; uPlot takes 30 days for a month. */
const TIME_STEPS = [1, 2, 3, 6, 12]
  .map((hours) => hours * HOUR)
  .concat([1, 2, 3, 7, 14, 30, 60, 90, 180].map((days) => days * DAY));
/** An axis of time has room for so many rows, so that one row does not fill it. */
const LEAST_ROWS = 7;
/**
 * Marks on an axis of time: the distance, and what is written where another hour, day or year begins.
 * @type {(string | number | null)[][]}
 */
const TIMES = [
  [28 * DAY, '{MMM}', '\n{YYYY}', null, null, null, null, null, 1],
  [DAY, '{D} {MMM}', '\n{YYYY}', null, null, null, null, null, 1],
  [HOUR, '{HH}:{mm}', '\n{D} {MMM}', null, '\n{D} {MMM}', null, null, null, 1],
];
/** The room that such a mark needs, in CSS pixels. */
const MARK_WIDTH = 34;
/** Steps of an axis of counts. */
const WHOLE = [1, 2, 5].flatMap((step) => Array.from({ length: 12 }, (_, n) => step * 10 ** n));
WHOLE.sort((a, b) => a - b);
const HEIGHT = 240;
/** The width on paper, which the window does not tell: there is room for it on A4 and on Letter. */
const PAPER_WIDTH = 640;
const BAR_HEIGHT = 30;
/** Longer names are never shown whole. */
const MAX_NAME = 100;
/** @type {uPlot.Series} */
const BAR = {
  width: 1,
  points: { show: false },
  ...(uPlot.paths.bars && { paths: uPlot.paths.bars({ size: [0.7, 20] }) }),
};
const COMPACT = new Intl.NumberFormat('en', { notation: 'compact' });
/**
 * @param {string} kind
 * @param {Table} table
 * @param {HTMLElement} canvas
 * @returns {uPlot.Options}
 */
export function optionsOf(kind, table, canvas) {
  const style = getComputedStyle(canvas);
  const width = matchMedia('print').matches ? PAPER_WIDTH : canvas.clientWidth;
  const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  const grid = { stroke: colour('--grid'), width: 1 };
  const axis = {
    stroke: colour('--quiet'),
    font: `12px ${style.fontFamily}`,
    grid,
    ticks: { ...grid, size: 4 },
  };
  const counts = {
    ...axis,
    incrs: WHOLE,
    size: 48,
    values: (/** @type {uPlot} */ _, /** @type {number[]} */ splits) =>
      splits.map((value) => COMPACT.format(value)),
  };
  const bars = kind === 'bars';
  const series = table.series.map(({ name }) => {
    const own = colour(`--series-${name}`);
    return bars ? barOf(name, own, colour('--panel')) : lineOf(name, own);
  });
  return {
    width,
    height: bars ? table.rows.length * BAR_HEIGHT + 40 : HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { show: !bars }, y: false, x: !bars },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
    series: [{}, ...(bars ? series.reverse() : series)],
    ...(bars ? barPlot(table, width, axis, counts) : linePlot(kind, table, axis, counts)),
  };
}

/**
 * @param {string} kind
 * @param {Table} table
 * @param {uPlot.Axis} axis
 * @param {uPlot.Axis} counts
 * @returns {Pick<uPlot.Options, 'scales' | 'axes'>}
 */
function linePlot(kind, { step, rows, series }, axis, counts) {
  const first = rows[0]?.x ?? 1;
  const last = rows.at(-1)?.x ?? first;
  if (kind !== 'log-hours') {
    const margin = (step * Math.max(1, LEAST_ROWS - (last - first) / step)) / 2;
    return {
      scales: {
        x: { range: [first - margin, last + margin] },
        y: { range: fromZero },
        messages: { range: fromZero },
      },
      axes: [
        { ...axis, incrs: TIME_STEPS.filter((one) => one >= step), values: TIMES, size: 42 },
        counts,
        ...(series.some(({ name }) => name === 'messages')
          ? [{ ...counts, scale: 'messages', side: 1, size: 44, grid: { show: false } }]
          : []),
      ],
    };
  }
  return {
    scales: {
      // A single point has room on both sides.
      x: { time: false, distr: 3, range: first === last ? [first / 2, last * 2] : [first, last] },
      y: { range: fromZero },
    },
    axes: [
      {
        ...axis,
        size: 28,
        splits: marksOfHours,
        filter: (_, splits) => splits,
        values: (_, splits) =>
          splits.map((split) => HOURS.find(([hours]) => hours === split)?.[1] ?? ''),
      },
      counts,
    ],
  };
}

/**
 * The marks in the range of the axis, those left out for which there is no room.
 * @param {uPlot} plot
 */
function marksOfHours(plot) {
  const { min = 0, max = 0 } = plot.scales['x'] ?? {};
  let free = Number.NEGATIVE_INFINITY;
  return HOURS.flatMap(([hours]) => {
    const at = plot.valToPos(hours, 'x');
    if (hours < min || hours > max || at < free) return [];
    free = at + MARK_WIDTH;
    return [hours];
  });
}

/**
 * Bars that lie, so that there is room for their names.
 * @param {Table} table
 * @param {number} width
 * @param {uPlot.Axis} axis
 * @param {uPlot.Axis} counts
 * @returns {Pick<uPlot.Options, 'scales' | 'axes'>}
 */
function barPlot({ rows }, width, axis, counts) {
  const room = Math.min(220, width * 0.4);
  const ruler = document.createElement('canvas').getContext('2d');
  if (ruler && axis.font) ruler.font = axis.font;
  const names = rows.map(({ label }) => shorten(ruler, label, room - 16));
  return {
    scales: {
      x: { time: false, ori: 1, dir: -1, range: [-0.5, rows.length - 0.5] },
      y: { ori: 0, range: fromZero },
    },
    axes: [
      {
        ...axis,
        scale: 'x',
        side: 3,
        size: room,
        grid: { show: false },
        ticks: { show: false },
        splits: () => rows.map((_, n) => n),
        values: (_, splits) => splits.map((n) => names[n] ?? ''),
      },
      { ...counts, scale: 'y', side: 2, size: 32, space: 56 },
    ],
  };
}

/**
 * Cuts a name to the room that it has.
 * @param {CanvasRenderingContext2D | null} ruler has the font of the axis
 * @param {string} name
 * @param {number} room in CSS pixels
 */
function shorten(ruler, name, room) {
  const fits = (/** @type {string} */ text) => (ruler?.measureText(text).width ?? 0) <= room;
  if (fits(name)) return name;
  const signs = [...name.slice(0, MAX_NAME)];
  while (signs.length && !fits(`${signs.join('')}…`)) signs.pop();
  return `${signs.join('')}…`;
}

/** @type {uPlot.Range.Function} */
function fromZero(_plot, _min, max) {
  return [0, Math.max(1, max * 1.05)];
}

/**
 * A line over time. Messages, which are many more than clicks, are bars behind the lines, with an axis of their own.
 * @param {string} name
 * @param {string} colour
 * @returns {uPlot.Series}
 */
function lineOf(name, colour) {
  const { dash } = PATTERNS.get(name) ?? PLAIN;
  const pale = (/** @type {number} */ part) =>
    `color-mix(in srgb, ${colour} ${part}%, transparent)`;
  if (name === 'messages') {
    return { ...BAR, scale: 'messages', stroke: colour, fill: pale(25) };
  }
  return { stroke: colour, width: 2, dash, ...(dash.length === 0 && { fill: pale(14) }) };
}

/**
 * @param {string} name
 * @param {string} colour
 * @param {string} paper what bars stand on
 * @returns {uPlot.Series}
 */
function barOf(name, colour, paper) {
  const { hatch } = PATTERNS.get(name) ?? PLAIN;
  return { ...BAR, stroke: colour, fill: hatch ? strokes(colour, hatch, paper) : colour };
}

/**
 * A pattern of diagonal strokes.
 * @param {string} colour
 * @param {number} slope 1 or -1
 * @param {string} paper hides what lies below
 */
function strokes(colour, slope, paper) {
  const size = Math.round(6 * uPlot.pxRatio);
  const tile = document.createElement('canvas');
  tile.width = size;
  tile.height = size;
  const ctx = tile.getContext('2d');
  const paint = () => ctx?.createPattern(tile, 'repeat') ?? colour;
  if (!ctx) return paint;
  ctx.fillStyle = paper;
  ctx.fillRect(0, 0, size, size);
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5 * uPlot.pxRatio;
  for (const shift of [-size, 0, size]) {
    ctx.moveTo(shift, slope > 0 ? 0 : size);
    ctx.lineTo(shift + size, slope > 0 ? size : 0);
  }
  ctx.stroke();
  return paint;
}

/**
 * The values as uPlot draws them. The series of bars are parts of a whole: each stands on those before it, so the last is
 * drawn first.
 * @param {string} kind
 * @param {Table} table
 */
export function valuesOf(kind, { rows, series }) {
  if (kind !== 'bars') return series.map(({ values }) => values);
  /** @type {number[]} */
  let sum = rows.map(() => 0);
  const stacked = series.map(({ values }) => {
    sum = sum.map((below, n) => below + (values[n] ?? 0));
    return sum;
  });
  return stacked.reverse();
}
