import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { draw } from '../../src/preview/draw.ts';

// Whether colours differ for every kind of colour vision, by a simulation of those that miss a cone.

type Triple = readonly [number, number, number];
type Matrix = readonly [Triple, Triple, Triple];

/** Machado, Oliveira and Fernandes 2009, at full severity: on linear RGB. */
const VISIONS: Readonly<Record<string, Matrix>> = {
  trichromacy: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};
const NO_COLOUR: Matrix = [
  [0.2126, 0.7152, 0.0722],
  [0.2126, 0.7152, 0.0722],
  [0.2126, 0.7152, 0.0722],
];
const TO_XYZ: Matrix = [
  [0.4124564, 0.3575761, 0.1804375],
  [0.2126729, 0.7151522, 0.072175],
  [0.0193339, 0.119192, 0.9503041],
];
const WHITE: Triple = [0.95047, 1, 1.08883];

const times = (matrix: Matrix, [a, b, c]: Triple): Triple => {
  const [x, y, z] = matrix.map(([p, q, r]) => p * a + q * b + r * c);
  return [x ?? 0, y ?? 0, z ?? 0];
};
const each = ([a, b, c]: Triple, change: (value: number) => number): Triple => [
  change(a),
  change(b),
  change(c),
];

/** Linear RGB of `#rrggbb` or `#rgb`. */
function linear(colour: string): Triple {
  const long = /^#...$/.test(colour) ? colour.replace(/[^#]/g, '$&$&') : colour;
  const [, red = '', green = '', blue = ''] = /^#(..)(..)(..)$/.exec(long) ?? [];
  return each([red, green, blue].map((part) => Number(`0x${part}`) / 255) as never, (part) =>
    part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4,
  );
}

/** CIELAB of a colour as somebody sees it. */
function seen(colour: string, vision: Matrix): Triple {
  const rgb = each(times(vision, linear(colour)), (part) => Math.min(1, Math.max(0, part)));
  const [x, y, z] = times(TO_XYZ, rgb);
  const [p, q, r] = each([x / WHITE[0], y / WHITE[1], z / WHITE[2]], (part) =>
    part > 216 / 24389 ? Math.cbrt(part) : ((24389 / 27) * part + 16) / 116,
  );
  return [116 * q - 16, 500 * (p - q), 200 * (q - r)];
}

/** ΔE of 1976: about 2 is seen where colours touch. */
function difference(one: string, other: string, vision: Matrix): number {
  const [a, b] = [seen(one, vision), seen(other, vision)];
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/** The contrast of WCAG. */
function contrast(one: string, other: string): number {
  const [low = 0, high = 0] = [one, other]
    .map((colour) => times(NO_COLOUR, linear(colour))[0])
    .sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

test('the measures are right', () => {
  expect(contrast('#fff', '#000000')).toBeCloseTo(21);
  expect(contrast('#777', '#fff')).toBeCloseTo(4.48, 2);
  expect(seen('#ff0000', VISIONS['trichromacy'] ?? NO_COLOUR).map(Math.round)).toEqual([
    53, 80, 67,
  ]);
  // Red and green that those mix up who miss a cone for them.
  const [red, green] = ['#a06a3c', '#7d7d3c'];
  const differences = Object.values(VISIONS).map((vision) => difference(red, green, vision));
  expect(differences.map((one) => one > 10)).toEqual([true, false, false, true]);
});

const STYLE = readFileSync(new URL('../../src/web/browser/style.css', import.meta.url), 'utf8');
/** The custom properties of the page, as the first rules say them: light, and what dark changes. */
const [LIGHT = {}, DARK = {}] = [...STYLE.matchAll(/:root \{([^}]*)\}/g)].map(([, rules = '']) =>
  Object.fromEntries(
    [...rules.matchAll(/--([\w-]+): (#\w+);/g)].map(([, name, colour]) => [name, colour]),
  ),
);

describe.each([
  ['light', LIGHT],
  ['dark', { ...LIGHT, ...DARK }],
])('series in %s mode', (_mode, colours: Readonly<Record<string, string>>) => {
  const series = Object.keys(colours).filter((name) => name.startsWith('series-'));
  const pairs = series.flatMap((one, n) => series.slice(n + 1).map((other) => [one, other]));

  test('are three', () => expect(series).toHaveLength(3));

  test.each(Object.entries(VISIONS))('differ by colour alone with %s', (_name, vision) => {
    for (const [one = '', other = ''] of pairs) {
      const between = difference(colours[one] ?? '', colours[other] ?? '', vision);
      expect(between, `${one} and ${other}`).toBeGreaterThan(15);
    }
  });

  test('stand out from what they are drawn on', () => {
    for (const name of series) {
      for (const paper of ['panel', 'page']) {
        const between = contrast(colours[name] ?? '', colours[paper] ?? '');
        expect(between, `${name} on ${paper}`).toBeGreaterThan(3);
      }
    }
  });
});

describe('badges of the click map', () => {
  const heats = [
    ...draw('', () => ({ people: 0, automatic: 0 })).matchAll(
      /\.heat-\d\{background:(#\w+);color:(#\w+)\}/g,
    ),
  ].map(([, paper = '', text = '']) => ({ paper, text }));

  test.each([...Object.entries(VISIONS), ['no colours', NO_COLOUR] as const])(
    'get darker with the share of people, seen with %s',
    (_name, vision) => {
      const lightness = heats.map(({ paper }) => seen(paper, vision)[0]);
      expect(lightness).toHaveLength(6);
      for (const [step, light] of lightness.slice(1).entries()) {
        expect((lightness[step] ?? 0) - light, `step ${step + 1}`).toBeGreaterThan(5);
      }
    },
  );

  test('have a text that can be read', () => {
    for (const { paper, text } of heats) expect(contrast(paper, text)).toBeGreaterThan(4.5);
  });
});
