import { hash } from 'node:crypto';
import { sanitise } from './safe-html.ts';
import type { Place } from './text-runs.ts';
import { placesOf, RUNS, tokensOf } from './text-runs.ts';

/** What a badge says of a link. */
export interface Heat {
  /** The share of the people who clicked anything that clicked this link, from 0 to 1. */
  readonly people: number;
  /** The share of automatic clicks in the clicks on the link, from 0 to 1. */
  readonly automatic: number;
}

/**
 * The colours of the badges, each with the share of people from which a link has it. They get darker
 * step by step, so they differ without hue; badges have their own text colour and border. Mail is
 * drawn on white, as its senders expect.
 */
const SCALE = [
  { least: 0, shown: '0%', colours: ['#fff', '#111'] },
  { least: Number.MIN_VALUE, shown: 'above 0%', colours: ['#c7e9b4', '#111'] },
  { least: 0.02, shown: '2%', colours: ['#7fcdbb', '#111'] },
  { least: 0.05, shown: '5%', colours: ['#41b6c4', '#111'] },
  { least: 0.15, shown: '15%', colours: ['#225ea8', '#fff'] },
  { least: 0.35, shown: '35% and more', colours: ['#081d58', '#fff'] },
] as const;

const TENTHS = Array.from({ length: 10 }, (_, index) => index + 1);

const STYLE = [
  ':root{color-scheme:light;-webkit-print-color-adjust:exact;print-color-adjust:exact}',
  'body{margin:0;background:#fff;color:#222;font:16px/1.4 sans-serif;overflow-wrap:anywhere}',
  'main{padding:1.5em .5em}',
  'table{max-width:100%}',
  '[data-image="1"]{display:inline-block;max-width:100%;background:#d5d8db}',
  // Light and dark text can be read on it.
  '[data-image=back]:not([bgcolor]){background:#777b80}',
  '.run{border-radius:2px;background:#c3c7cb;color:#c3c7cb}',
  'a[data-link]{position:relative;outline:2px solid #6b7178;outline-offset:1px}',
  // Room for the widest badge, so that those of neighbours do not cover each other.
  'a.narrow{display:inline-block;min-width:48px;margin-top:24px}',
  '.badge{display:inline-block;padding:0 .35em;border:1px solid #fff;border-radius:.6em;' +
    'box-shadow:0 0 0 1px #222;font:700 12px/1.35 sans-serif;letter-spacing:0;text-align:left;' +
    'text-decoration:none;text-transform:none;white-space:nowrap}',
  'a>.badge{position:absolute;z-index:1;bottom:calc(100% - 1px);left:-.3em}',
  '.auto{display:block;min-width:4px;height:4px;margin:0 0 2px;' +
    'background:repeating-linear-gradient(45deg,#222 0 2px,#fff 2px 4px)}',
  '.legend{display:flex;flex-wrap:wrap;gap:.5em 1em;align-items:center;margin:0;padding:.5em;' +
    'border-bottom:1px solid #d5d8db;font-size:13px;list-style:none}',
  '.legend .auto{display:inline-block;width:2em;margin:0}',
  ...SCALE.map(
    ({ colours: [back, text] }, step) => `.heat-${step}{background:${back};color:${text}}`,
  ),
  // Most newsletters are 600 pixels wide, also on a telephone.
  '@media (max-width:600px){main{zoom:.55}main .badge{zoom:1.6}a.narrow{min-width:76px;margin-top:36px}}',
  ...TENTHS.map((tenth) => `.auto-${tenth}{width:${tenth}0%}`),
].join('');

const LEGEND = `<ul class="legend"><li>Of the people who clicked:</li>${SCALE.map(
  ({ shown }, step) => `<li><span class="badge heat-${step}">${shown}</span></li>`,
).join('')}<li><span class="auto"></span> automatic clicks</li></ul>`;

/**
 * The Content-Security-Policy of a drawn skeleton: nothing runs and nothing is loaded. Only the
 * inline styles of elements and the one style of the document apply.
 */
export const DRAWN_POLICY = [
  'sandbox',
  "default-src 'none'",
  `style-src-elem 'sha256-${hash('sha256', STYLE, 'base64')}'`,
  "style-src-attr 'unsafe-inline'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'self'",
].join('; ');

/**
 * Draws a skeleton as it was read back: a document with a badge on each tracked link. It has no
 * other control, and so is one itself: keys scroll it.
 * @param heatOf what the badge of a link says
 */
export function draw(skeleton: string, heatOf: (place: Place) => Heat): string {
  const tokens = tokensOf(sanitise(skeleton));
  const body = tokens.map((token, index) => {
    if (index % 2 === 0) {
      return token.replace(RUNS, (run) => `<span class="run" aria-hidden="true">${run}</span>`);
    }
    const [place] = placesOf(token);
    if (place === undefined) return token;
    const link = isNarrow(tokens, index) ? token.replace(/>$/, ' class="narrow">') : token;
    return link + badge(heatOf(place));
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Click map</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>${STYLE}</style></head>
<body>${LEGEND}<main tabindex="0" aria-label="Newsletter">${body.join('')}</main></body></html>
`;
}

/** Characters and pixels that may be narrower than a badge, on a telephone too. */
const NARROW = { characters: 12, pixels: 76 };

/** Whether a link may be narrower than its badge. @param start where its tag is in the tokens */
function isNarrow(tokens: readonly string[], start: number): boolean {
  let characters = 0;
  for (let index = start + 1; index < tokens.length; index++) {
    const token = tokens[index] ?? '';
    if (/^<\/?a[ >]/.test(token)) break;
    if (index % 2 === 0) characters += token.trim().length;
    const [, width, unit] = / data-image="1".* style="width:(\d+)(px|%)/.exec(token) ?? [];
    const isWide = unit === '%' || Number(width ?? 0) > NARROW.pixels;
    if (isWide || characters > NARROW.characters) return false;
  }
  return true;
}

function badge({ people, automatic }: Heat): string {
  const tenths = Math.min(10, Math.ceil(automatic * 10));
  const share = percent(people);
  const hatched = tenths > 0 ? `<span class="auto auto-${tenths}"></span>` : '';
  const step = SCALE.findLastIndex(({ least }) => people >= least);
  const title = `${share} of the people who clicked; ${percent(automatic)} of its clicks are automatic`;
  return `<span class="badge heat-${step}" title="${title}">${share}${hatched}</span>`;
}

function percent(share: number): string {
  const hundred = 100 * Math.min(1, share);
  return `${hundred > 0 && hundred < 10 ? hundred.toFixed(1) : Math.round(hundred)}%`;
}
