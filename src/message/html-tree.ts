import { parse } from 'parse5';
import { adapter, type Htmlparser2TreeAdapterMap } from 'parse5-htmlparser2-tree-adapter';
import type { Range } from './candidate.ts';
import { select } from './select.ts';

type Document = Htmlparser2TreeAdapterMap['document'];
type Node = Htmlparser2TreeAdapterMap['childNode'];

/** What only a tree can tell: offsets are those of start tags in the document. */
export interface HtmlTree {
  /** Every `<a>` and `<area>` outside of templates, in document order. */
  readonly links: readonly number[];
  /** The first `<base>` with an href. */
  readonly base: number | undefined;
  readonly comments: readonly Range[];
  /** Links that match one of the selectors, or are within an element that does. */
  readonly selected: ReadonlySet<number>;
  /** Links within SVG, where `xlink:href` is one. */
  readonly svgLinks: ReadonlySet<number>;
}

/** Beyond these no tree is built: some of parse5's steps take time in proportion to the depth. */
export interface TreeLimits {
  /** Characters of HTML. */
  readonly size: number;
  /** Elements open within one another. */
  readonly depth: number;
}

/**
 * Builds the tree a browser without scripts would build.
 *
 * @returns undefined where the document is beyond the limits, or the selectors take too long in it
 */
export function readTree(
  html: string,
  selectors: readonly string[],
  limits: TreeLimits,
): HtmlTree | undefined {
  if (html.length > limits.size) {
    return undefined;
  }
  const document = parseWithin(html, limits.depth);
  const matching = document && select(document, selectors, html.length);
  return matching && collect(document, matching);
}

class TooComplex extends Error {}

/** More than ten times what a large newsletter has; unclosed formatting multiplies elements. */
const MAX_ELEMENTS = 20_000;

function parseWithin(html: string, maxDepth: number): Document | undefined {
  let depth = 0;
  let elements = 0;
  try {
    return parse<Htmlparser2TreeAdapterMap>(html, {
      sourceCodeLocationInfo: true,
      scriptingEnabled: false,
      treeAdapter: {
        ...adapter,
        onItemPush() {
          if (++depth > maxDepth || ++elements > MAX_ELEMENTS) {
            throw new TooComplex();
          }
        },
        onItemPop() {
          depth--;
        },
      },
    });
  } catch (error) {
    if (error instanceof TooComplex) {
      return undefined;
    }
    throw error;
  }
}

function collect(document: Document, matching: ReadonlySet<unknown>): HtmlTree {
  // The tree repeats an element where formatting is reopened (`<a><p></a>`): one tag, one link.
  const links = new Set<number>();
  const selected = new Set<number>();
  const svgLinks = new Set<number>();
  const comments: Range[] = [];
  const bases: number[] = [];
  const waiting: { node: Node; within: boolean }[] = [];
  const wait = (nodes: readonly Node[], within: boolean) => {
    for (const node of nodes) {
      waiting.push({ node, within });
    }
  };
  wait(document.children, false);
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, within } = next;
    const place = node.sourceCodeLocation;
    if (place && adapter.isCommentNode(node)) {
      comments.push({ start: place.startOffset, end: place.endOffset });
    }
    if (!adapter.isElementNode(node) || (node.name === 'template' && isHtml(node))) {
      continue;
    }
    const inside = within || matching.has(node);
    if (place && (node.name === 'a' || node.name === 'area')) {
      links.add(place.startOffset);
      if (node.namespace === SVG_NAMESPACE) {
        svgLinks.add(place.startOffset);
      }
      if (inside) {
        selected.add(place.startOffset);
      }
    }
    if (place && node.name === 'base' && isHtml(node) && 'href' in node.attribs) {
      bases.push(place.startOffset);
    }
    wait(node.children, inside);
  }
  return {
    links: [...links].sort((a, b) => a - b),
    base: bases.sort((a, b) => a - b)[0],
    comments,
    selected,
    svgLinks,
  };
}

const HTML_NAMESPACE = 'http://www.w3.org/1999/xhtml';
const SVG_NAMESPACE = 'http://www.w3.org/2000/svg';

function isHtml(element: { namespace?: string }): boolean {
  return element.namespace === HTML_NAMESPACE;
}
