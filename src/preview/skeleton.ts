import { type DefaultTreeAdapterMap, defaultTreeAdapter, parse, html as spec } from 'parse5';
import { declarations, hasBackgroundImage, hides } from './safe-css.ts';
import { KEPT_ELEMENTS, MAX_DEPTH, safeAttributes, sanitise } from './safe-html.ts';
import { labelDigest, MAX_SKELETON, withoutUrls } from './text-runs.ts';

/** A tracked link of a newsletter. */
export interface PreviewLink {
  /** Its place among the tracked links of its message, from 0 on. */
  readonly position: number;
  /** Its name, else its target. */
  readonly label: string;
}

/** Characters of an HTML part of which a skeleton is made: Gmail cuts mail at 100 KB. */
const MAX_HTML = 256 * 1024;
/** Elements; a newsletter of 100 KB has half of these. The rest is left out. */
const MAX_ELEMENTS = 5_000;

type Node = DefaultTreeAdapterMap['node'];
type Element = DefaultTreeAdapterMap['element'];
type Document = DefaultTreeAdapterMap['document'];

/** Elements that are left out with their content. Other unknown elements leave their content. */
const DROPPED: ReadonlySet<string> = new Set(
  (
    'applet|area|audio|base|canvas|datalist|embed|frame|frameset|head|iframe|input|link|listing|' +
    'map|meta|meter|noembed|noframes|noscript|object|optgroup|option|output|param|plaintext|' +
    'progress|script|select|slot|source|style|template|textarea|title|track|video|xmp'
  ).split('|'),
);

/** Elements that stand for themselves as blocks; a skeleton has a `div` in their place. */
const BLOCKS: ReadonlySet<string> = new Set(
  'aside|body|dd|details|dl|dt|fieldset|figcaption|figure|form|hgroup|legend|nav|search|summary'.split(
    '|',
  ),
);

/**
 * Makes the skeleton of one copy of a newsletter: its layout, its text and the places of its links,
 * without any URL. It still has the text of its recipient: only `merge` takes that away.
 * @param linkOf the tracked link of an `<a>` by its href; undefined where the link is not tracked
 * @returns undefined for a document that is too large, or has no tracked link
 */
export function makeSkeleton(
  html: string,
  linkOf: (href: string) => PreviewLink | undefined,
): string | undefined {
  if (html.length > MAX_HTML) return undefined;
  const pieces: string[] = [];
  let links = 0;
  const element = (node: Element, depth: number) => {
    const { tagName } = node;
    if (node.namespaceURI !== spec.NS.HTML || DROPPED.has(tagName)) return;
    const attributes = attributesOf(node);
    if ('hidden' in attributes || hides(attributes['style'] ?? '')) return;
    if (tagName === 'img') {
      pieces.push(imageBox(attributes));
      return;
    }
    const name = BLOCKS.has(tagName) ? 'div' : tagName;
    if (!KEPT_ELEMENTS.has(name)) return children(node, depth);
    const {
      'data-link': _,
      'data-label': __,
      'data-image': ___,
      ...safe
    } = safeAttributes(attributes);
    const link = name === 'a' ? linkOf(attributes['href'] ?? '') : undefined;
    if (link !== undefined) {
      links++;
      safe['data-link'] = String(link.position);
      safe['data-label'] = labelDigest(link.label);
    }
    if (attributes['background'] || hasBackgroundImage(attributes['style'] ?? '')) {
      safe['data-image'] = 'back';
    }
    pieces.push(tag(name, safe));
    if (name === 'br' || name === 'hr') return;
    children(node, depth);
    pieces.push(`</${name}>`);
  };
  const children = (node: Element | Document, depth: number) => {
    if (depth > MAX_DEPTH) return;
    for (const child of node.childNodes) {
      if ('tagName' in child) element(child, depth + 1);
      else if (isText(child)) pieces.push(escaped(plainText(child.value)));
    }
  };
  children(parseWithin(html), 0);
  if (links === 0) return undefined;
  const skeleton = withoutUrls(sanitise(pieces.join('')));
  return skeleton.length > MAX_SKELETON ? undefined : skeleton;
}

/** The attributes of an element. The body has the direction of its document, too. */
function attributesOf({ tagName, attrs, parentNode }: Element): Readonly<Record<string, string>> {
  const around = tagName === 'body' && parentNode && 'attrs' in parentNode ? parentNode.attrs : [];
  const all = [...around.filter(({ name }) => name === 'dir'), ...attrs];
  return Object.fromEntries(all.map(({ name, value }) => [name, value]));
}

class TooComplex extends Error {}

/**
 * Builds the tree that a browser without scripts builds, as far as it is within the limits: some
 * steps of parse5 take time in proportion to the depth.
 */
function parseWithin(html: string): Document {
  let document = defaultTreeAdapter.createDocument();
  let depth = 0;
  let elements = 0;
  try {
    parse(html, {
      scriptingEnabled: false,
      treeAdapter: {
        ...defaultTreeAdapter,
        createDocument: () => {
          document = defaultTreeAdapter.createDocument();
          return document;
        },
        onItemPush() {
          if (++depth > MAX_DEPTH || ++elements > MAX_ELEMENTS) throw new TooComplex();
        },
        onItemPop() {
          depth--;
        },
      },
    });
  } catch (error) {
    if (!(error instanceof TooComplex)) throw error;
  }
  return document;
}

function isText(node: Node): node is DefaultTreeAdapterMap['textNode'] {
  return node.nodeName === '#text';
}

/** Control and format characters but the joiners, by which Persian is spelt and emoji are made. */
const FORMATS = /[^\P{C}\u200c\u200d]/gu;

/** Without characters that change how other text looks. */
function plainText(text: string): string {
  const spaced = text.replace(/\s+/g, ' ');
  return /[^ -~]/.test(spaced) ? spaced.replace(FORMATS, '') : spaced;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (char) => ENTITIES[char] ?? '');
}

function tag(name: string, attributes: Readonly<Record<string, string>>): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escaped(value)}"`);
  return `<${name}${written.join('')}>`;
}

/** A box of the size of an image; none for a pixel that counts openings. */
function imageBox(attributes: Readonly<Record<string, string>>): string {
  const style = declarations(attributes['style'] ?? '');
  const width = sizeOf(style.get('width')) ?? sizeOf(attributes['width']);
  const height = sizeOf(style.get('height')) ?? sizeOf(attributes['height']);
  if (isTiny(width) && isTiny(height)) return '';
  const size = `width:${width ?? '100px'};height:${height ?? '60px'}`;
  return `${tag('span', { 'data-image': '1', style: size })}</span>`;
}

function sizeOf(written: string | undefined): string | undefined {
  const [, number, unit = 'px'] = /^(\d{1,4})(px|%)?$/.exec(written ?? '') ?? [];
  return number && number + unit;
}

function isTiny(size: string | undefined): boolean {
  return /^[0-2]px$/.test(size ?? '');
}
