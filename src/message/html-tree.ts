import { type Options, selectAll } from 'css-select';
import { parse } from 'parse5';
import { adapter, type Htmlparser2TreeAdapterMap } from 'parse5-htmlparser2-tree-adapter';
import type { Range } from './link.ts';
import type { ReadingLimits } from './reading-options.ts';

type Document = Htmlparser2TreeAdapterMap['document'];
type Node = Htmlparser2TreeAdapterMap['node'];

/** Facts that only a tree gives. Offsets are those of start tags in the document. */
export interface HtmlTree {
  /** Every `<a>` and `<area>` outside of templates, in document order. */
  readonly links: readonly number[];
  /** The first `<base>` that has an href. */
  readonly base: number | undefined;
  readonly comments: readonly Range[];
  /** Links that match one of the selectors, or that are inside of an element that does. */
  readonly selected: ReadonlySet<number>;
  /** Links inside of SVG, where `xlink:href` is a link. */
  readonly svgLinks: ReadonlySet<number>;
}

/**
 * Builds the tree that a browser without scripts builds. Some steps of parse5 take time in
 * proportion to the depth, so the size and depth of the document are limited.
 *
 * @returns undefined where the document is beyond the limits, or where the selectors take too long
 * in it
 */
export function readTree(
  html: string,
  selectors: readonly string[],
  limits: ReadingLimits,
): HtmlTree | undefined {
  if (html.length > limits.selectorHtmlSize) {
    return undefined;
  }
  try {
    const document = parseWithin(html, limits.selectorHtmlDepth);
    return collect(document, select(document, selectors, html.length));
  } catch (error) {
    if (error instanceof TooComplex) {
      return undefined;
    }
    throw error;
  }
}

class TooComplex extends Error {}

/** A large newsletter has a tenth of these. Unclosed formatting multiplies elements. */
const MAX_ELEMENTS = 20_000;

/** @throws TooComplex */
function parseWithin(html: string, maxDepth: number): Document {
  let depth = 0;
  let elements = 0;
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
}

function collect(document: Document, matching: ReadonlySet<unknown>): HtmlTree {
  // The tree repeats an element where formatting is reopened (`<a><p></a>`), which is still one tag
  // and one link.
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

type Element = Htmlparser2TreeAdapterMap['element'];
type TreeAdapter = NonNullable<Options<Node, Element>['adapter']>;

/** Steps that each selector may take. A step takes some nanoseconds. */
const MIN_STEPS = 1_000_000;
const STEPS_PER_CHARACTER = 50;

/**
 * Finds the elements that match one of the selectors. Selectors such as `.x ~ div ~ a` compare each
 * element with all before it, so their steps are limited in proportion to the document.
 *
 * @param size characters of the document
 * @throws TooComplex
 */
function select(
  document: Document,
  selectors: readonly string[],
  size: number,
): ReadonlySet<unknown> {
  if (selectors.length === 0) {
    return new Set();
  }
  const steps = selectors.length * (MIN_STEPS + STEPS_PER_CHARACTER * size);
  const options = { adapter: countingAdapter(steps) };
  return new Set(selectAll<Node, Element>(selectors.join(', '), document, options));
}

/** The tree as css-select sees it: each step calls one of these functions. */
function countingAdapter(steps: number): TreeAdapter {
  let left = steps;
  const take = (count: number): void => {
    left -= count;
    if (left < 0) {
      throw new TooComplex();
    }
  };
  const isTag = (node: Node): node is Element => {
    take(1);
    return adapter.isElementNode(node);
  };
  const getChildren = (node: Node): Node[] => {
    take(1);
    return 'children' in node ? node.children : [];
  };
  const getParent = (node: Node): Node | null => {
    take(1);
    return node.parent;
  };
  const attribute = (element: Element, name: string): string | undefined => {
    const value = Object.hasOwn(element.attribs, name) ? element.attribs[name] : undefined;
    take(1 + (value?.length ?? 0) / STEPS_PER_CHARACTER);
    return value;
  };
  /** Elements in document order. Recursion would overflow the stack on a deep tree. */
  function* elementsIn(nodes: readonly Node[]): Iterable<Element> {
    const waiting = nodes.toReversed();
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      const children = getChildren(node);
      for (let at = children.length - 1; at >= 0; at--) {
        waiting.push(children[at] as Node);
      }
      if (isTag(node)) {
        yield node;
      }
    }
  }
  const findOne = (test: (element: Element) => boolean, nodes: readonly Node[]) => {
    for (const element of elementsIn(nodes)) {
      if (test(element)) {
        return element;
      }
    }
    return null;
  };
  return {
    isTag,
    getChildren,
    getParent,
    getName: (element) => element.name,
    getAttributeValue: attribute,
    hasAttrib: (element, name) => attribute(element, name) !== undefined,
    getSiblings(node) {
      const parent = getParent(node);
      return parent === null ? [node] : getChildren(parent);
    },
    prevElementSibling(node) {
      let previous = node.prev;
      while (previous !== null && !isTag(previous)) {
        previous = previous.prev;
      }
      return previous;
    },
    getText(node) {
      let text = '';
      const waiting = [node];
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        if (adapter.isTextNode(next)) {
          take(next.data.length);
          text += next.data;
        }
        waiting.push(...getChildren(next).toReversed());
      }
      return text;
    },
    existsOne: (test, nodes) => findOne(test, nodes) !== null,
    findAll: (test, nodes) => [...elementsIn(nodes)].filter(test),
    findOne,
    // The query always starts at the document.
    removeSubsets: (nodes) => nodes,
  };
}
