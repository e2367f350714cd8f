import { decodeHTML, decodeHTMLAttribute } from 'entities/decode';
import { HtmlScanner } from './html-scanner.ts';
import { type Attribute, NameSet, type Tag, tagAt } from './html-tag.ts';
import { readTree } from './html-tree.ts';
import type { Candidate, Range, Read, Scanned } from './link.ts';
import {
  isMarkedClass,
  MARKED_ATTRIBUTES,
  notrackAt,
  OWN_MARK,
  readMarks,
  withoutNotrack,
} from './link-marks.ts';
import type { ReadingOptions } from './open-message.ts';
import type { SkipReason } from './skip-reasons.ts';
import { plainHostInHtml } from './target.ts';

export type HtmlOptions = Pick<ReadingOptions, 'excludeSelectors' | 'trackUrlText' | 'limits'> &
  Partial<Pick<ReadingOptions, 'unsubscribeLinks'>>;

/** Elements that change what tags mean. A document that has one needs a tree. */
const NEED_TREE = ['svg', 'math', 'select', 'template', 'frameset'];

/** Attributes that hold links or marks. */
const ATTRIBUTES = new NameSet(['href', 'xlink:href', ...MARKED_ATTRIBUTES], OWN_MARK);

const DOCUMENT = new HtmlScanner(['a', 'area', 'base', ...NEED_TREE], ATTRIBUTES);

/** Outlook reads conditional comments, and draws buttons with VML. */
const CONDITIONAL_COMMENT = new HtmlScanner(['a', 'area', 'v:*'], ATTRIBUTES);

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
  if (outline === undefined) {
    return 'html-too-complex';
  }
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
  };
}

interface Outline {
  readonly links: readonly Tag[];
  readonly base: Tag | undefined;
  readonly comments: readonly Range[];
  /** Offsets of the tags that `excludeSelectors` match. */
  readonly selected: ReadonlySet<number>;
  /** Offsets of the tags inside of SVG. */
  readonly svg: ReadonlySet<number>;
}

const NONE: ReadonlySet<number> = new Set();

function outlineOf(html: string, { excludeSelectors, limits }: HtmlOptions): Outline | undefined {
  const links: Tag[] = [];
  const comments: Range[] = [];
  let base: Tag | undefined;
  let needsTree = false;
  DOCUMENT.scan(html, {
    tag(tag) {
      if (tag.name === 'a' || tag.name === 'area') {
        collect(links, tag, limits.links);
      } else if (tag.name !== 'base') {
        needsTree = true;
      } else if (tag.attributes.some(({ name }) => name === 'href')) {
        base ??= tag;
      }
    },
    comment(start, end) {
      if (isConditional(html, start)) {
        comments.push({ start, end });
      }
    },
  });
  if (!needsTree && (excludeSelectors.length === 0 || links.length === 0)) {
    return { links, base, comments, selected: NONE, svg: NONE };
  }
  const tree = readTree(html, excludeSelectors, limits);
  const at = (offset: number) => tagAt(html, offset, ATTRIBUTES);
  return (
    tree && {
      links: tree.links
        .map(at)
        .filter((tag) => tag !== undefined)
        .filter(hasLinkOrMark),
      base: tree.base === undefined ? undefined : at(tree.base),
      comments: tree.comments,
      selected: tree.selected,
      svg: tree.svgLinks,
    }
  );
}

/**
 * Collects the tags that matter, and no more than show that there are too many: each takes much
 * more memory than its text.
 */
function collect(tags: Tag[], tag: Tag, maxLinks: number): void {
  if (tags.length <= maxLinks && hasLinkOrMark(tag)) {
    tags.push(tag);
  }
}

function hasLinkOrMark({ attributes }: Tag): boolean {
  return attributes.some(
    ({ name }) => name === 'href' || name === 'xlink:href' || name.startsWith(OWN_MARK),
  );
}

function isConditional(html: string, start: number): boolean {
  return html[start + 4] === '[' && /^<!--\[if\s/i.test(html.slice(start, start + 8));
}

/** The links in `<!--[if mso]> … <![endif]-->` and similar comments. */
function outlookLinks(html: string, comments: readonly Range[], maxLinks: number): Tag[] {
  const tags: Tag[] = [];
  for (const { start, end } of comments) {
    if (isConditional(html, start)) {
      const shift = start + '<!--'.length;
      CONDITIONAL_COMMENT.scan(html.slice(shift, end - '-->'.length), {
        tag: (tag) => collect(tags, shifted(tag, shift), maxLinks),
      });
    }
  }
  return tags;
}

function shifted(tag: Tag, by: number): Tag {
  return {
    name: tag.name,
    start: tag.start + by,
    end: tag.end + by,
    attributes: tag.attributes.map((attribute) => ({
      ...attribute,
      start: attribute.start + by,
      end: attribute.end + by,
      valueStart: attribute.valueStart + by,
      valueEnd: attribute.valueEnd + by,
    })),
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
      if (name.startsWith(OWN_MARK)) {
        marks.push(removable(html, attribute));
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
  const ascii = html.slice(start, end);
  const host = plainHostInHtml(ascii);
  let written = host === undefined ? textOf(start, end, read) : withoutAmp(ascii);
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
    host,
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
 */
function removable(html: string, attribute: Attribute): Range {
  const next = html[attribute.end];
  let start = attribute.start;
  if (next === '>' || isSpace(html, attribute.end)) {
    while (html[start - 1] === ' ' || html[start - 1] === '\t') {
      start--;
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

/**
 * Decodes `&amp;`, the only entity in a link for which `plainHostInHtml` gives a host. `replaceAll`
 * would take longer.
 */
function withoutAmp(link: string): string {
  let at = link.indexOf('&');
  if (at === -1) {
    return link;
  }
  let result = link.slice(0, ++at);
  for (;;) {
    const start = at + 'amp;'.length;
    at = link.indexOf('&', start) + 1;
    if (at === 0) {
      return result + link.slice(start);
    }
    result += link.slice(start, at);
  }
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
