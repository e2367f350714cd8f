import { HtmlScanner, type HtmlSink } from './html-scanner.ts';
import { NameSet, type Tag, tagAt } from './html-tag.ts';
import { readTree } from './html-tree.ts';
import type { Range } from './link.ts';
import { MARKED_ATTRIBUTES, OWN_MARK } from './link-marks.ts';
import type { ReadingOptions } from './reading-options.ts';

/** Elements that change what tags mean. A document that has one needs a tree. */
const NEED_TREE = ['svg', 'math', 'select', 'template', 'frameset'];

/** Attributes that hold links or marks. */
const ATTRIBUTES = new NameSet(['href', 'xlink:href', ...MARKED_ATTRIBUTES], OWN_MARK);

const DOCUMENT = new HtmlScanner(['a', 'area', 'base', ...NEED_TREE], ATTRIBUTES);

/** Outlook reads conditional comments, and draws buttons with VML. */
const CONDITIONAL_COMMENT = new HtmlScanner(['a', 'area', 'v:*'], ATTRIBUTES);

/** The tags of a document that may hold links. */
export interface Outline {
  readonly links: readonly Tag[];
  readonly base: Tag | undefined;
  readonly comments: readonly Range[];
  /** Offsets of the tags that `excludeSelectors` match. */
  readonly selected: ReadonlySet<number>;
  /** Offsets of the tags inside of SVG. */
  readonly svg: ReadonlySet<number>;
}

const NONE: ReadonlySet<number> = new Set();

/** An outline by the tags alone, which is the right one unless a tree is needed. */
interface Survey extends Outline {
  readonly needsTree: boolean;
  readonly endsInText: boolean;
}

export function surveyOf(html: string, maxLinks: number, text?: HtmlSink['text']): Survey {
  const links: Tag[] = [];
  const comments: Range[] = [];
  let base: Tag | undefined;
  let needsTree = false;
  const endsInText = DOCUMENT.scan(html, {
    text,
    tag(tag) {
      if (tag.name === 'a' || tag.name === 'area') {
        collect(links, tag, maxLinks);
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
  return { links, base, comments, selected: NONE, svg: NONE, needsTree, endsInText };
}

/** @returns undefined where the document is too complex */
export function outlineOf(
  html: string,
  { excludeSelectors, limits }: Pick<ReadingOptions, 'excludeSelectors' | 'limits'>,
): Outline | undefined {
  const survey = surveyOf(html, limits.links);
  if (!survey.needsTree && (excludeSelectors.length === 0 || survey.links.length === 0)) {
    return survey;
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
export function outlookLinks(html: string, comments: readonly Range[], maxLinks: number): Tag[] {
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

/**
 * The offsets at which a document may be cut into pieces for `scanPiece`: behind line ends in text.
 *
 * @returns undefined for a document that has to be read as a whole
 */
export function cutsOf(html: string): number[] | undefined {
  const cuts: number[] = [];
  const { needsTree, base } = surveyOf(html, 0, (start, end) => {
    // Only within the text: a search from its end on would be quadratic.
    for (let at = end; at > start; at--) {
      if (html[at - 1] === '\n') {
        cuts.push(at);
        return;
      }
    }
  });
  return needsTree || base !== undefined ? undefined : cuts;
}
