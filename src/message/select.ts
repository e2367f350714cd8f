import { type Options, selectAll } from 'css-select';
import { adapter, type Htmlparser2TreeAdapterMap } from 'parse5-htmlparser2-tree-adapter';

type Document = Htmlparser2TreeAdapterMap['document'];
type Node = Htmlparser2TreeAdapterMap['node'];
type Element = Htmlparser2TreeAdapterMap['element'];
type TreeAdapter = NonNullable<Options<Node, Element>['adapter']>;

/** Steps through the tree that each selector may take. A step takes some nanoseconds. */
const LEAST_STEPS = 1_000_000;
const STEPS_PER_CHARACTER = 50;

class TooManySteps extends Error {}

/**
 * The elements that match one of the selectors. Selectors such as `.x ~ div ~ a` compare each element with all before it,
 * so the steps that they take have a bound in proportion to the document.
 *
 * @param size characters of the document
 * @returns undefined where the bound is passed
 */
export function select(
  document: Document,
  selectors: readonly string[],
  size: number,
): ReadonlySet<unknown> | undefined {
  if (selectors.length === 0) {
    return new Set();
  }
  const steps = selectors.length * (LEAST_STEPS + STEPS_PER_CHARACTER * size);
  try {
    const options = { adapter: countingAdapter(steps) };
    return new Set(selectAll<Node, Element>(selectors.join(', '), document, options));
  } catch (error) {
    if (error instanceof TooManySteps) {
      return undefined;
    }
    throw error;
  }
}

/** What css-select sees of the tree. It makes each of its steps through one of these functions. */
function countingAdapter(steps: number): TreeAdapter {
  let left = steps;
  const take = (count: number): void => {
    left -= count;
    if (left < 0) {
      throw new TooManySteps();
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
  /** In document order, in a loop: nested calls would run out of stack on a deep tree. */
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
    existsOne: (test, nodes) => {
      for (const element of elementsIn(nodes)) {
        if (test(element)) {
          return true;
        }
      }
      return false;
    },
    findAll: (test, nodes) => [...elementsIn(nodes)].filter(test),
    findOne: (test, nodes) => {
      for (const element of elementsIn(nodes)) {
        if (test(element)) {
          return element;
        }
      }
      return null;
    },
    // The query always starts at the document.
    removeSubsets: (nodes) => nodes,
  };
}
