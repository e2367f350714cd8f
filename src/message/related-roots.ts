import type { MimeNode } from './line-splitter.ts';

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
