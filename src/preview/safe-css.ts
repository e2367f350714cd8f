/*
 * The declarations of a `style` attribute that a skeleton keeps. Each property has the values that
 * it may have: none of them loads, moves, covers or hides anything.
 */

/** Characters of a style, and of a value, that are examined. */
const MAX_STYLE = 2000;
const MAX_VALUE = 100;

const COLOUR = /^(?:#[\da-f]{3,8}|[a-z]{3,20}|(?:rgb|hsl)a?\([\d\s.,%/]{5,40}\))$/;
const LENGTH =
  /^(?:0|auto|normal|none|\d{1,4}(?:\.\d{1,3})?(?:px|pt)|\d{1,3}(?:\.\d{1,3})?(?:r?em|%))$/;
const NUMBER = /^\d{1,3}(?:\.\d{1,3})?$/;
const WORD = /^[a-z-]{1,20}$/;

/** The fonts that mail names: another name may say anything. */
const FONTS: ReadonlySet<string> = new Set(
  (
    'arial|arial black|calibri|courier|courier new|cursive|fantasy|geneva|georgia|helvetica|' +
    'helvetica neue|impact|inherit|lato|lucida grande|lucida sans|monospace|montserrat|open sans|' +
    'palatino|roboto|sans-serif|segoe ui|serif|system-ui|tahoma|times|times new roman|' +
    'trebuchet ms|verdana'
  ).split('|'),
);

type Keep = (value: string) => string | undefined;

const keepIf =
  (...patterns: readonly RegExp[]): Keep =>
  (value) =>
    patterns.some((pattern) => pattern.test(value)) ? value : undefined;
const oneOf =
  (...values: readonly string[]): Keep =>
  (value) =>
    values.includes(value) ? value : undefined;
const colour = keepIf(COLOUR);
const length = keepIf(LENGTH);
/** Up to four lengths, styles or colours. */
const several =
  (...patterns: readonly RegExp[]): Keep =>
  (value) => {
    const words = value.split(' ');
    const isKept = words.length <= 4 && words.every((word) => patterns.some((p) => p.test(word)));
    return isKept ? value : undefined;
  };
const lengths = several(LENGTH);
const border = several(LENGTH, COLOUR, /^(?:solid|dashed|dotted|double)$/);
const radius = keepIf(/^\d{1,3}(?:px|%)?$/);
const font: Keep = (value) => {
  const names = value.split(',').map((name) => name.trim().replace(/^(['"])(.*)\1$/, '$2'));
  const known = names.filter((name) => FONTS.has(name));
  return known.length > 0 ? known.join(',') : undefined;
};

const SIDES = ['top', 'right', 'bottom', 'left'];
const sided = (name: string, keep: Keep) =>
  [name, ...SIDES.map((side) => `${name}-${side}`)].map((one) => [one, keep] as const);

const PROPERTIES: ReadonlyMap<string, Keep> = new Map<string, Keep>([
  ['color', colour],
  ['background-color', colour],
  // An image, a gradient and what goes with it are left out. A word elsewhere is seldom a colour.
  [
    'background',
    (value) => {
      const words = value.split(' ');
      return colour(words.find((word) => /^(?:#|rgb|hsl)/.test(word)) ?? words[0] ?? '');
    },
  ],
  ['font-family', font],
  ['font-size', keepIf(LENGTH, WORD)],
  ['font-style', oneOf('normal', 'italic', 'oblique')],
  ['font-weight', keepIf(NUMBER, /^(?:normal|bold|bolder|lighter)$/)],
  ['line-height', keepIf(LENGTH, NUMBER)],
  ['letter-spacing', length],
  ['text-align', oneOf('left', 'right', 'center', 'justify', 'start', 'end')],
  ['text-decoration', oneOf('none', 'underline', 'line-through')],
  ['text-transform', oneOf('none', 'uppercase', 'lowercase', 'capitalize')],
  ['vertical-align', oneOf('top', 'middle', 'bottom', 'baseline', 'sub', 'super', 'text-top')],
  ['white-space', oneOf('normal', 'nowrap')],
  ['word-break', oneOf('normal', 'break-all', 'break-word')],
  ['direction', oneOf('ltr', 'rtl')],
  [
    'display',
    oneOf('block', 'inline', 'inline-block', 'table', 'inline-table', 'table-row', 'table-cell'),
  ],
  ['float', oneOf('left', 'right', 'none')],
  ['clear', oneOf('left', 'right', 'both', 'none')],
  ['box-sizing', oneOf('border-box', 'content-box')],
  ['width', length],
  ['min-width', length],
  ['max-width', length],
  ['height', length],
  ['table-layout', oneOf('auto', 'fixed')],
  ['border-collapse', oneOf('collapse', 'separate')],
  ['border-spacing', lengths],
  ['border-radius', radius],
  ...sided('border', border),
  ...sided('padding', lengths),
  ...sided('margin', lengths),
]);

/** The declarations of a style, in lower case. An escape or a comment in it leaves none. */
export function declarations(style: string): Map<string, string> {
  const found = new Map<string, string>();
  if (style.length > MAX_STYLE || /\\|\/\*/.test(style)) return found;
  for (const declaration of style.toLowerCase().split(';')) {
    const colon = declaration.indexOf(':');
    const value = declaration
      .slice(colon + 1)
      .replace(/\s+/g, ' ')
      .replace(/ ?, ?/g, ',')
      .replace(/ ?! ?important ?$/, '');
    if (colon > 0) found.set(declaration.slice(0, colon).trim(), value.trim());
  }
  return found;
}

/** The style that a skeleton keeps; empty where that is none. */
export function safeStyle(style: string): string {
  const kept = new Map<string, string>();
  for (const [property, value] of declarations(style)) {
    if (value.length > MAX_VALUE) continue;
    const safe = PROPERTIES.get(property)?.(value);
    if (safe !== undefined)
      kept.set(property === 'background' ? 'background-color' : property, safe);
  }
  return [...kept].map(([property, value]) => `${property}:${value}`).join(';');
}

/** Whether a style gives its element an image or a gradient for a background. */
export function hasBackgroundImage(style: string): boolean {
  const found = declarations(style);
  return ['background', 'background-image'].some((property) =>
    /(?:url|gradient)\(/.test(found.get(property) ?? ''),
  );
}

/**
 * Whether a style hides its element, as preheaders are hidden. `mso-hide` does so in Outlook alone,
 * which gets the same button in a comment.
 */
export function hides(style: string): boolean {
  const found = declarations(style);
  return HIDING.some(([property, pattern]) => pattern.test(found.get(property) ?? 'not set'));
}

const HIDING = [
  ['display', /^none$/],
  ['visibility', /^(?:hidden|collapse)$/],
  ['opacity', /^0*\.?0+%?$/],
  ['max-height', /^0(?:px)?$/],
] as const;
