import type { TopPart } from './link.ts';
import type { MimeNode } from './mailsplit.ts';
import type { SkipReason } from './skip-reasons.ts';

/** What is known of a multipart/related while it comes in. */
interface Related {
  /** The Content-ID of the root, where `start` names it. */
  readonly start: string | undefined;
  readonly first: MimeNode;
  root: MimeNode | undefined;
}

/**
 * Which part of each multipart/related readers show: the one that its `start` names, else the first (RFC 2387). The others
 * are files that it refers to.
 */
export class RelatedRoots {
  readonly #related = new Map<MimeNode, Related>();

  /** @returns the part that was taken for the root until this one began */
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
    if (related.root === undefined) {
      const isRoot = related.start === undefined || related.start === contentIdOf(node);
      related.root = isRoot ? node : undefined;
      return isRoot && node !== related.first ? related.first : undefined;
    }
    return undefined;
  }

  /** Whether a part is, or is in, the root of each multipart/related around it, as far as that is known. */
  isShown(node: MimeNode): boolean {
    return this.#around(node).every(
      ({ related, child }) => child === (related.root ?? related.first),
    );
  }

  /** Whether that can no longer change. */
  isSure(node: MimeNode): boolean {
    return this.#around(node).every(({ related }) => related.root !== undefined);
  }

  #around(node: MimeNode) {
    const around: { related: Related; child: MimeNode }[] = [];
    let child = node;
    for (let parent = child.parentNode; parent; parent = parent.parentNode) {
      const related = this.#related.get(parent as MimeNode);
      if (related !== undefined) {
        around.push({ related, child });
      }
      child = parent as MimeNode;
    }
    return around;
  }
}

function startOf({ _parsedContentType: type }: MimeNode): string | undefined {
  return (type && idOf(type.params['start'] ?? '')) || undefined;
}

function contentIdOf({ headers }: MimeNode): string | undefined {
  return headers ? idOf(headers.getFirst('content-id')) : undefined;
}

/** Without the angle brackets, which some leave out. */
function idOf(text: string): string {
  return text
    .trim()
    .replace(/^<(.*)>$/, '$1')
    .trim();
}

function headersOf(node: MimeNode) {
  return node.headers || undefined;
}

/** Readers take the first or the last of two Content-Types: what is text to one is an attachment to the other. */
export function isAmbiguous(node: MimeNode): boolean {
  return ['content-type', 'content-transfer-encoding'].some((name) => {
    const [first, ...others] = headersOf(node)?.get(name) ?? [];
    return others.some((other) => other !== first);
  });
}

export function shownAs(node: MimeNode): TopPart | undefined {
  // What has a file name is a file, but for a message that is nothing else.
  if (isAttached(node) || (node.filename && !node.root)) {
    return undefined;
  }
  // mailsplit guesses from the file name where there is no Content-Type; RFC 2045 §5.2 says text/plain,
  // and RFC 2046 §5.1.5 message/rfc822 within a digest.
  if (!headersOf(node)?.hasHeader('content-type')) {
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

/** By its own Content-Disposition, or by that of a part it is in: a multipart's holds for all of it (RFC 2183 §2.9). */
function isAttached({
  disposition,
  parentNode,
}: Pick<MimeNode, 'disposition' | 'parentNode'>): boolean {
  if (disposition && disposition !== 'inline') {
    return true; // RFC 2183 §2.8: what is not known is an attachment
  }
  // Not by the root's: readers open a message, whatever it says.
  return parentNode !== false && !parentNode.root && isAttached(parentNode);
}

/** Why a part is not to be changed because of what it is in. */
export function reasonOfContainer(node: MimeNode): SkipReason | undefined {
  for (let parent = node.parentNode; parent; parent = parent.parentNode) {
    if (parent.multipart === 'signed' || parent.multipart === 'encrypted') {
      return parent.multipart;
    }
  }
  return undefined;
}

export function isWithin(node: MimeNode, outer: MimeNode): boolean {
  let at: MimeNode['parentNode'] = node;
  while (at && at !== outer) {
    at = at.parentNode;
  }
  return at === outer;
}
