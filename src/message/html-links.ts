import { decodeHTMLAttribute } from 'entities/decode';
import type { Candidate, Range, Scanned } from './candidate.ts';
import { type Attribute, attributesAt, HtmlScanner, type Tag } from './html-scanner.ts';
import { readTree, type TreeLimits } from './html-tree.ts';
import { isMark, isOwnMark, NOTRACK, notrackAt, readMarks } from './link-marks.ts';
import type { LeftAlone } from './outcome.ts';
import { showsUrl } from './url-text.ts';

export interface HtmlOptions {
  readonly excludeSelectors: readonly string[];
  /** Whether links are tracked whose visible text is itself a URL. */
  readonly trackUrlText: boolean;
  /** For the documents that need a tree: those with selectors, and those below. */
  readonly treeLimits: TreeLimits;
  /** The characters from start to end as Unicode, or undefined where the charset does not say for certain. */
  readonly read: (start: number, end: number) => string | undefined;
}

/** Where one of these is, tags mean what they mean by the tree around them. */
const NEED_TREE = ['svg', 'math', 'select', 'template', 'frameset'];

const DOCUMENT = new HtmlScanner(['a', 'area', 'base', ...NEED_TREE]);

/** Outlook reads conditional comments, and makes buttons of VML. */
const CONDITIONAL_COMMENT = new HtmlScanner(['a', 'area', 'v:*']);

/**
 * Finds the links of an HTML document: `<a>` and `<area>` as a browser would, and those for Outlook in
 * conditional comments.
 *
 * @param html offsets in it are those of the candidates
 */
export function scanHtml(html: string, options: HtmlOptions): Scanned | 'html-too-complex' {
  const outline = outlineOf(html, options);
  if (outline === undefined) {
    return 'html-too-complex';
  }
  const candidates: Candidate[] = [];
  const marks: Range[] = [];
  for (const tag of [...outline.links, ...outlookLinks(html, outline.comments)].sort(byStart)) {
    readLink(html, tag, outline.selected.has(tag.start), options, candidates, marks);
  }
  const base = outline.base?.attributes.find(({ name }) => name === 'href');
  return { candidates, marks, base: base && attributeText(base, options) };
}

interface Outline {
  links: readonly Tag[];
  base: Tag | undefined;
  comments: readonly Range[];
  selected: ReadonlySet<number>;
}

function outlineOf(html: string, options: HtmlOptions): Outline | undefined {
  const links: Tag[] = [];
  const comments: Range[] = [];
  let base: Tag | undefined;
  let needsTree = false;
  DOCUMENT.scan(html, {
    tag(tag) {
      if (tag.name === 'a' || tag.name === 'area') {
        links.push(tag);
      } else if (tag.name !== 'base') {
        needsTree = true;
      } else if (tag.attributes.some(({ name }) => name === 'href')) {
        base ??= tag;
      }
    },
    comment: (start, end) => comments.push({ start, end }),
  });
  if (!needsTree && (options.excludeSelectors.length === 0 || links.length === 0)) {
    return { links, base, comments, selected: new Set() };
  }
  const tree = readTree(html, options.excludeSelectors, options.treeLimits);
  const tagAt = (offset: number) => attributesAt(html, offset);
  return (
    tree && {
      links: tree.links.map(tagAt).filter((tag) => tag !== undefined),
      base: tree.base === undefined ? undefined : tagAt(tree.base),
      comments: tree.comments,
      selected: tree.selected,
    }
  );
}

/** The links in `<!--[if mso]> … <![endif]-->` and its like. */
function outlookLinks(html: string, comments: readonly Range[]): Tag[] {
  const tags: Tag[] = [];
  for (const { start, end } of comments) {
    if (/^<!--\[if\s/i.test(html.slice(start, start + 8))) {
      const shift = start + '<!--'.length;
      CONDITIONAL_COMMENT.scan(html.slice(shift, end - '-->'.length), {
        tag: (tag) => tags.push(shifted(tag, shift)),
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
  selected: boolean,
  options: HtmlOptions,
  candidates: Candidate[],
  marks: Range[],
): void {
  let href: Attribute | undefined;
  let xlink: Attribute | undefined;
  const markValues = new Map<string, string>();
  const ownMarks: Range[] = [];
  for (const attribute of tag.attributes) {
    const { name } = attribute;
    if (name === 'href') {
      href ??= attribute;
    } else if (name === 'xlink:href') {
      xlink ??= attribute; // of an SVG <a>
    } else if (isMark(name)) {
      if (!markValues.has(name)) {
        markValues.set(name, attributeText(attribute, options) ?? '');
      }
      if (isOwnMark(name)) {
        ownMarks.push(removable(html, attribute));
      }
    }
  }
  href ??= xlink;
  if (href !== undefined) {
    const { start, end } = trimmed(html, href);
    const notrack = notrackAt(html.slice(start, end));
    const says = readMarks(markValues);
    if (notrack !== -1) {
      ownMarks.push({ start: start + notrack, end: start + notrack + NOTRACK.length });
    }
    const written = unicodeOf(start, end, options);
    const reasonOf = (): LeftAlone | undefined => {
      if (notrack !== -1) {
        return 'opted-out';
      }
      if (says.reason === undefined && selected) {
        return 'excluded-selector';
      }
      return (
        says.reason ?? (options.trackUrlText || !showsUrl(html, tag.end) ? undefined : 'url-text')
      );
    };
    candidates.push({
      start,
      end,
      written: notrack === -1 ? written : written?.replace(NOTRACK, ''),
      escape: href.quoted ? escapeQuoted : escapeUnquoted,
      name: says.name,
      sublink: says.sublink,
      reason: reasonOf(),
    });
  }
  for (const mark of ownMarks.sort(byStart)) {
    marks.push(mark);
  }
}

function attributeText(
  { valueStart, valueEnd }: Attribute,
  options: HtmlOptions,
): string | undefined {
  return unicodeOf(valueStart, valueEnd, options);
}

function unicodeOf(start: number, end: number, options: HtmlOptions): string | undefined {
  const text = options.read(start, end)?.replaceAll('\0', '\ufffd');
  return text?.includes('&') ? decodeHTMLAttribute(text) : text;
}

/** A value without the white space around it, which stays. */
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

/** An attribute with the white space before it, unless that is needed to part its neighbours. */
function removable(html: string, attribute: Attribute): Range {
  const next = html[attribute.end];
  let start = attribute.start;
  if (next === '>' || isSpace(html, attribute.end)) {
    while (isSpace(html, start - 1)) {
      start--;
    }
  }
  return { start, end: attribute.end };
}

function isSpace(html: string, at: number): boolean {
  const code = html.charCodeAt(at);
  return code === 0x20 || (code >= 0x09 && code <= 0x0d && code !== 0x0b);
}

function escapeQuoted(url: string): string {
  return url.replace(/[&"'<>]/g, characterReference);
}

function escapeUnquoted(url: string): string {
  return url.replace(/[\s&"'<>=`]/g, characterReference);
}

function characterReference(char: string): string {
  return `&#${char.charCodeAt(0)};`;
}
