import sanitizeHtml from 'sanitize-html';
import { safeStyle } from './safe-css.ts';

/** The elements of a skeleton. None of them loads, runs or submits anything. */
export const KEPT_ELEMENTS: ReadonlySet<string> = new Set(
  (
    'a|address|article|b|blockquote|br|caption|center|code|del|div|em|font|footer|h1|h2|h3|h4|h5|' +
    'h6|header|hr|i|ins|li|main|ol|p|pre|s|section|small|span|strike|strong|sub|sup|table|tbody|' +
    'td|tfoot|th|thead|tr|u|ul'
  ).split('|'),
);

/** Levels of nested elements. */
export const MAX_DEPTH = 100;

const COLOUR = /^(?:#[\da-f]{3,6}|[a-z]{3,20})$/i;
const ALIGN = /^(?:left|right|center|justify)$/i;
const SIZE = /^\d{1,4}(?:px|%)?$/;
const SMALL = /^\d{1,2}$/;

/** The attributes of a skeleton, and their values. */
const ATTRIBUTES: Readonly<Record<string, RegExp>> = {
  align: ALIGN,
  bgcolor: COLOUR,
  border: SMALL,
  cellpadding: SMALL,
  cellspacing: SMALL,
  color: COLOUR,
  colspan: SMALL,
  dir: /^(?:ltr|rtl)$/i,
  height: SIZE,
  rowspan: SMALL,
  size: /^[1-7]$/,
  valign: /^(?:top|middle|bottom|baseline)$/i,
  width: SIZE,
  /** The position of a tracked link, and the digest of the label that its clicks have. */
  'data-link': /^\d{1,3}$/,
  'data-label': /^[\w-]{12}$/,
  /** A box in place of an image, or an element whose background is one. */
  'data-image': /^(?:1|back)$/,
};

export function safeAttributes(attributes: Readonly<Record<string, string>>) {
  const safe: Record<string, string> = {};
  for (const [name, pattern] of Object.entries(ATTRIBUTES)) {
    const value = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
    if (value !== undefined && pattern.test(value)) safe[name] = value;
  }
  const style = safeStyle(attributes['style'] ?? '');
  if (style !== '') safe['style'] = style;
  return safe;
}

/**
 * Leaves only what a skeleton may hold, in one spelling: `<` and `>` stand for nothing but tags.
 * It is applied before a skeleton is kept, and again when it was read back.
 */
export function sanitise(html: string): string {
  return sanitizeHtml(html, {
    allowedTags: [...KEPT_ELEMENTS],
    allowedAttributes: { '*': [...Object.keys(ATTRIBUTES), 'style'] },
    transformTags: {
      '*': (tagName, attribs) => ({ tagName, attribs: safeAttributes(attribs) }),
    },
    // safeStyle has read it already, and keeps less.
    parseStyleAttributes: false,
    nestingLimit: MAX_DEPTH,
  });
}
