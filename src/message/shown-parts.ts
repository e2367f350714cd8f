import type { TopPart } from './link.ts';
import { contentTypeParameter, type MimeNode } from './mailsplit.ts';
import type { SkipReason } from './skip-reasons.ts';

/** The parts around a part, from the inside out. */
export function ancestors(node: MimeNode): MimeNode[] {
  const found: MimeNode[] = [];
  for (let { parentNode: at } = node; at; at = at.parentNode) {
    found.push(at as MimeNode);
  }
  return found;
}

/** The facts about a multipart/related that are known so far. */
interface Related {
  /** The Content-ID of the root, where the parameter `start` names it. */
  readonly start: string | undefined;
  readonly first: MimeNode;
  root: MimeNode | undefined;
}

/**
 * The part of each multipart/related that readers show: the part that its `start` names, else the
 * first (RFC 2387). The other parts are files that it refers to.
 */
export class RelatedRoots {
  readonly #related = new Map<MimeNode, Related>();

  /**
   * Takes a part whose header is complete.
   *
   * @returns the part that counted as the root until now, where this part is the root instead
   */
  begins(node: MimeNode): MimeNode | undefined {
    const parent = (node.parentNode || undefined) as MimeNode | undefined;
    if (parent?.multipart !== 'related') {
      return undefined;
    }
    const known = this.#related.get(parent);
    const related = known ?? { start: startOf(parent), first: node, root: undefined };
    if (known === undefined) {
      this.#related.set(parent, related);
    }
    if (related.root !== undefined) {
      return undefined;
    }
    const isRoot = related.start === undefined || related.start === contentIdOf(node);
    related.root = isRoot ? node : undefined;
    return isRoot && node !== related.first ? related.first : undefined;
  }

  /**
   * Whether a part is, or is inside of, the root of each multipart/related around it, as far as
   * that is known.
   */
  isShown(node: MimeNode): boolean {
    return this.#around(node).every(
      ({ related, child }) => child === (related.root ?? related.first),
    );
  }

  /** Whether the answer of `isShown` can no longer change. */
  isSure(node: MimeNode): boolean {
    return this.#around(node).every(({ related }) => related.root !== undefined);
  }

  /** Each multipart/related around a part, with its child that holds the part. */
  #around(node: MimeNode) {
    if (this.#related.size === 0) {
      return []; // as in most messages
    }
    const path = [node, ...ancestors(node)];
    return path.flatMap((child, depth) => {
      const parent = path[depth + 1];
      const related = parent && this.#related.get(parent);
      return related === undefined ? [] : [{ related, child }];
    });
  }
}

function startOf(node: MimeNode): string | undefined {
  return idOf(contentTypeParameter(node, 'start') ?? '') || undefined;
}

function contentIdOf({ headers }: MimeNode): string | undefined {
  return headers ? idOf(headers.getFirst('content-id')) : undefined;
}

/**
 * An identifier without the angle brackets, which some senders omit, and without a comment behind
 * them.
 */
function idOf(text: string): string {
  return text
    .trim()
    .replace(/^<([^>]*)>.*$/s, '$1')
    .trim();
}

/**
 * Whether a part has two different headers, or parameters in one, of which readers take either the
 * first or the last: it may be text to one reader and an attachment to another.
 */
export function isAmbiguous({ headers }: MimeNode): boolean {
  if (!headers) {
    return false;
  }
  // Parts with the same header share its parsed fields.
  let isAmbiguous = ambiguous.get(headers);
  if (isAmbiguous === undefined) {
    isAmbiguous = ['content-type', 'content-transfer-encoding'].some((name) => {
      const [first = '', ...others] = headers.get(name);
      return others.some((other) => other !== first) || hasTwoValues(first);
    });
    ambiguous.set(headers, isAmbiguous);
  }
  return isAmbiguous;
}

const ambiguous = new WeakMap<object, boolean>();

/** Whether a Content-Type has two values of a parameter, in any form of RFC 2231. */
function hasTwoValues(contentType: string): boolean {
  const values = new Map<string, string>();
  for (const [, name = '', section = '', value = ''] of contentType.matchAll(PARAMETERS)) {
    if (!DECIDING.has(name.toLowerCase())) {
      continue;
    }
    const key = name.toLowerCase() + (section === '*0' ? '' : section);
    const before = values.get(key);
    const written = value.replaceAll('"', '').toLowerCase();
    if (before !== undefined && before !== written) {
      return true;
    }
    values.set(key, written);
  }
  return false;
}

const PARAMETERS = /;\s*([^\s;=*"]+)(\*\d+)?\*?\s*=\s*("[^"]*"|[^\s;]*)/g;
/** The parameters that decide how a part is read. */
const DECIDING: ReadonlySet<string> = new Set(['boundary', 'charset', 'delsp', 'format', 'start']);

/** Which top part readers make of a part, if it is the first of its kind. */
export function shownAs(node: MimeNode): TopPart | undefined {
  // A part with a file name is a file, unless it is the whole message.
  if (isAttached(node) || (node.filename && !node.root)) {
    return undefined;
  }
  // Without a Content-Type, mailsplit guesses from the file name. RFC 2045 §5.2 says text/plain,
  // and RFC 2046 §5.1.5 message/rfc822 in a digest.
  const isTyped = node.headers ? node.headers.hasHeader('content-type') : false;
  if (!isTyped) {
    return node.parentNode && node.parentNode.multipart === 'digest' ? undefined : 'text';
  }
  switch (node.contentType) {
    case 'text/plain':
      return 'text';
    case 'text/html':
      return 'html';
    default:
      return undefined;
  }
}

/**
 * Whether a Content-Disposition makes a part an attachment: its own, or that of a multipart around
 * it (RFC 2183 §2.9). That of the whole message does not count, as readers open a message whatever
 * it says.
 */
function isAttached(node: MimeNode): boolean {
  return [node, ...ancestors(node).filter(({ root }) => !root)].some(
    // RFC 2183 §2.8: an unknown disposition is an attachment.
    ({ disposition }) => disposition && disposition !== 'inline',
  );
}

/** Why a part is left alone because of a multipart around it. */
export function reasonOfContainer(node: MimeNode): SkipReason | undefined {
  const kinds = ancestors(node).map(({ multipart }) => multipart);
  return kinds.find((kind) => kind === 'signed' || kind === 'encrypted');
}
