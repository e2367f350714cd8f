import { decodeHTML, decodeHTMLAttribute } from 'entities/decode';
import { type Outline, outlineOf, outlookLinks, surveyOf } from './html-outline.ts';
import type { Attribute, Tag } from './html-tag.ts';
import type { Candidate, Range, Read, Scanned } from './link.ts';
import { isMarkedClass, notrackAt, OWN_MARK, readMarks, withoutNotrack } from './link-marks.ts';
import { plainLinkInHtml } from './plain-link.ts';
import type { ReadingOptions } from './reading-options.ts';
import type { SkipReason } from './skip-reasons.ts';

export type HtmlOptions = Pick<ReadingOptions, 'excludeSelectors' | 'trackUrlText' | 'limits'> &
  Partial<Pick<ReadingOptions, 'unsubscribeLinks'>>;

/**
 * Finds the links of an HTML document: `<a>` and `<area>` as a browser finds them, and those in
 * conditional comments for Outlook. Offsets of the result are into `html`.
 */
export function scanHtml(
  html: string,
  options: HtmlOptions,
  read: Read,
): Scanned | 'html-too-complex' | 'too-many-links' {
  const outline = outlineOf(html, options);
  return outline === undefined ? 'html-too-complex' : linksOf(html, outline, options, read);
}

/**
 * Finds the links of a piece of a document that begins in text, as `scanHtml` would find them there.
 *
 * @returns undefined where that depends on the rest of the document, or the rest on the piece
 */
export function scanPiece(
  html: string,
  options: HtmlOptions,
  read: Read,
  isLast: boolean,
): Scanned | undefined {
  const { needsTree, endsInText, ...outline } = surveyOf(html, options.limits.links);
  if (needsTree || outline.base !== undefined || (!isLast && !endsInText)) {
    return undefined;
  }
  const scanned = linksOf(html, outline, options, read);
  return typeof scanned === 'string' ? undefined : scanned;
}

/** Whether options make the meaning of a link depend on what stands around it. */
export function needsWholeDocument({ excludeSelectors, trackUrlText }: HtmlOptions): boolean {
  return excludeSelectors.length > 0 || !trackUrlText;
}

function linksOf(
  html: string,
  outline: Outline,
  options: HtmlOptions,
  read: Read,
): Scanned | 'too-many-links' {
  const { links } = options.limits;
  const candidates: Candidate[] = [];
  const marks: Range[] = [];
  const outlook = outlookLinks(html, outline.comments, links);
  const tags = outlook.length === 0 ? outline.links : [...outline.links, ...outlook].sort(byStart);
  if (tags.length > links) {
    return 'too-many-links';
  }
  for (const tag of tags) {
    readLink(html, tag, outline, options, read, candidates, marks);
  }
  const base = outline.base?.attributes.find(({ name }) => name === 'href');
  return {
    candidates,
    marks: marks.sort(byStart),
    base: base && textOf(base.valueStart, base.valueEnd, read),
    tags: tags.length,
  };
}

function byStart(a: Range, b: Range): number {
  return a.start - b.start;
}

function readLink(
  html: string,
  tag: Tag,
  { selected, svg }: Outline,
  options: HtmlOptions,
  read: Read,
  candidates: Candidate[],
  marks: Range[],
): void {
  let href: Attribute | undefined;
  let xlink: Attribute | undefined;
  let markValues: Map<string, string> | undefined;
  for (const attribute of tag.attributes) {
    const { name, valueStart, valueEnd } = attribute;
    if (name === 'href') {
      href ??= attribute;
    } else if (name === 'xlink:href') {
      xlink ??= attribute;
    } else if (name !== 'class' || isMarkedClass(html.slice(valueStart, valueEnd))) {
      markValues ??= new Map();
      if (!markValues.has(name)) {
        markValues.set(name, textOf(valueStart, valueEnd, read) ?? '');
      }
      const mark = name.startsWith(OWN_MARK) ? removable(html, tag, attribute) : undefined;
      if (mark !== undefined) {
        marks.push(mark);
      }
    }
  }
  // Outside of SVG, xlink:href is not a link.
  href ??= svg.has(tag.start) ? xlink : undefined;
  if (href === undefined) {
    return;
  }
  const { start, end } = trimmed(html, href);
  const notrack = notrackAt(html, start);
  const says = readMarks(markValues, options.unsubscribeLinks ?? 'leave');
  const plain = plainLinkInHtml(html.slice(start, end));
  let written = plain === undefined ? textOf(start, end, read) : plain.written;
  let reason: SkipReason | undefined = says.reason;
  if (notrack !== undefined) {
    marks.push(notrack);
    written = written && withoutNotrack(written);
    reason = 'opted-out';
  }
  if (reason === undefined && selected.has(tag.start)) {
    reason = 'excluded-selector';
  } else if (reason === undefined && !options.trackUrlText && showsUrl(html, tag.end)) {
    reason = 'url-text';
  }
  candidates.push({
    start,
    end,
    written,
    host: plain?.host,
    hasSigns: plain?.hasSigns ?? true,
    escape: href.quoted ? escapeQuoted : escapeUnquoted,
    name: says.name,
    sublink: says.sublink,
    unsubscribe: says.unsubscribe,
    reason,
  });
}

/** The value of an attribute as a browser reads it. */
function textOf(start: number, end: number, read: Read): string | undefined {
  const written = read(start, end);
  return written && attributeValue(written);
}

/** The value of an attribute without the white space around it, which stays in the message. */
function trimmed(html: string, { valueStart, valueEnd }: Attribute): Range {
  let start = valueStart;
  let end = valueEnd;
  while (start < end && isSpace(html, start)) {
    start++;
  }
  while (end > start && isSpace(html, end - 1)) {
    end--;
  }
  return { start, end };
}

/**
 * An attribute with the blanks before it, unless they separate its neighbours. A line end is kept.
 * A slash before it does not come to stand before the `>`, where it would close an element of SVG.
 *
 * @returns undefined before a `=`, which would become that of the attribute before
 */
function removable(html: string, tag: Tag, attribute: Attribute): Range | undefined {
  let next = attribute.end;
  while (isSpace(html, next)) {
    next++;
  }
  if (html[next] === '=') {
    return undefined;
  }
  const isLast = html[attribute.end] === '>';
  let { start } = attribute;
  if (isLast || isSpace(html, attribute.end)) {
    while (html[start - 1] === '/') {
      start--;
    }
    while (html[start - 1] === ' ' || html[start - 1] === '\t') {
      start--;
    }
    if (isLast && html[start - 1] === '/' && tag.attributes.every(({ end }) => end !== start)) {
      start++;
    }
  }
  return { start, end: attribute.end };
}

function isSpace(html: string, at: number): boolean {
  const code = html.charCodeAt(at);
  return code === 0x20 || (code >= 0x09 && code <= 0x0d && code !== 0x0b);
}

/** Decodes the value of an attribute as a browser does. */
function attributeValue(written: string): string {
  const text = written.replaceAll('\0', '\ufffd');
  return text.includes('&') ? decodeHTMLAttribute(text) : text;
}

/** Escapes a URL for an attribute value in quotes. */
function escapeQuoted(url: string): string {
  return /[&"'<>]/.test(url) ? url.replace(/[&"'<>]/g, characterReference) : url;
}

/**
 * Escapes a URL for an attribute value without quotes. The last of two hyphens at the end is
 * escaped, too: with the `>` of the tag it would close a conditional comment.
 */
function escapeUnquoted(url: string): string {
  return url.replace(/[\s&"'<>=`]|(?<=-)-$/g, characterReference);
}

function characterReference(char: string): string {
  return `&#${char.charCodeAt(0)};`;
}

/** Characters of a link's content that are examined. */
const WINDOW = 2000;

/**
 * Whether the visible text of a link is itself a URL or a host name. `tagEnd` is the end of its
 * start tag.
 */
function showsUrl(html: string, tagEnd: number): boolean {
  const content = html.slice(tagEnd, tagEnd + WINDOW);
  const end = content.search(/<\/?a[\s/>]/i);
  // An unclosed tag runs on to the end of the text: to search for the `>` of many of them would be
  // quadratic.
  const text = (end === -1 ? content : content.slice(0, end)).replace(/<[^>]*>?/g, '');
  return looksLikeUrl(decodeHTML(text).trim());
}

function looksLikeUrl(text: string): boolean {
  return (
    /^(?:https?:\/\/|www\.)\S+$/i.test(text) ||
    /^[\w-]+(?:\.[\w-]+)*\.[a-z]{2,63}(?:[/?#:]\S*)?$/i.test(text)
  );
}
