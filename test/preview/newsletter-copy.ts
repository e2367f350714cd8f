import type { PreviewLink } from '../../src/preview/skeleton.ts';
import { makeSkeleton } from '../../src/preview/skeleton.ts';

/** The links of a document by hrefs `link:N`, labelled `link N`. */
export function linkByHref(href: string): PreviewLink | undefined {
  const [, position] = /^link:(\d+)$/.exec(href) ?? [];
  return position === undefined
    ? undefined
    : { position: Number(position), label: `link ${position}` };
}

/** The skeleton of one copy, whose tracked links have hrefs `link:N`. */
export function skeletonOf(html: string): string {
  const skeleton = makeSkeleton(html, linkByHref);
  if (skeleton === undefined) throw new Error('no skeleton was made');
  return skeleton;
}
