import type { BodyChunks } from './body-chunks.ts';
import type { ClassifiedLink, ClassifiedPart } from './classify-links.ts';
import type { Edit, Spliced } from './content.ts';
import type { FoundLink, RewrittenLink, RewrittenMessage, UrlFor } from './link.ts';
import type { ReadPart } from './read-part.ts';
import type { SkipReason } from './skip-reasons.ts';

/**
 * Replaces links by tracked URLs and removes clickmilter's own marks, in the parts that may change.
 * Every other byte stays unchanged.
 *
 * @param parts in the order of the body
 * @param growth bytes that all URLs may add in sum. Once they are used up, the remaining links are
 * left alone
 */
export function rewriteParts(
  body: BodyChunks,
  parts: readonly ClassifiedPart[],
  urlFor: UrlFor,
  growth: number,
): RewrittenMessage {
  const pieces: Buffer[] = [];
  const links: RewrittenLink[] = [];
  let copied = 0;
  let room = growth;
  const keep = (end: number): void => {
    for (const view of body.views(copied, end)) {
      pieces.push(view);
    }
  };
  for (const { part, links: classified, mayChange } of parts) {
    const marks = mayChange ? part.scanned.marks : [];
    const edits: Edit[] = marks.map((mark) => ({ ...part.bytesOf(mark), bytes: '' }));
    const before = links.length;
    const plans = classified.map((one, index) => {
      const url = one.link.reason === undefined ? urlFor(one.link, before + index) : undefined;
      const plan = planFor(part, one, url);
      const { edit } = plan;
      if (edit !== undefined) {
        // Not the length of the edit: its offsets may be those of encoded bytes.
        room -= Math.max(0, edit.bytes.length - (one.candidate.written?.length ?? 0));
        if (room < 0) {
          return { link: one.link, reason: 'growth' } as const;
        }
        edits.push(edit);
      }
      return plan;
    });
    if (marks.length > 0) {
      edits.sort((a, b) => a.start - b.start);
    }
    let applied = edits;
    let { raw, refused } = part.splice(edits);
    if (marks.length > 0 && holdsDelimiter(raw, part.found.boundaries)) {
      // `--b [[data-msys-…]]` ends the part without its mark, so the marks of the part stay.
      applied = edits.filter(({ bytes }) => bytes !== '');
      ({ raw, refused } = part.splice(applied));
    }
    if (refused.size < applied.length) {
      keep(part.found.start);
      pieces.push(raw);
      copied = part.found.end;
    }
    for (const plan of plans) {
      links.push(rewritten(plan, refused));
    }
  }
  if (copied === 0) {
    return { links };
  }
  keep(body.length);
  return { body: pieces.filter(({ length }) => length > 0), links };
}

/**
 * The HTML part as Unicode text, with other URLs in its links; undefined where there is none, or its
 * text is not certain.
 * @param urlFor called with each of its links, and the index in those of all parts
 */
export function htmlWith(
  parts: readonly ClassifiedPart[],
  urlFor: (link: FoundLink, index: number) => string,
): string | undefined {
  let index = 0;
  for (const { part, links } of parts) {
    if (part.found.part !== 'html') {
      index += links.length;
      continue;
    }
    const edits = links.map(({ candidate, link }) => {
      const { start, end } = part.bytesOf(candidate);
      return { start, end, bytes: part.encode(candidate.escape(urlFor(link, index++))) };
    });
    return part.decode(part.decodedWith(edits));
  }
  return undefined;
}

/** Whether a line is a delimiter of a multipart around the part (RFC 2046 §5.1.1). */
function holdsDelimiter(raw: Buffer, boundaries: ReadonlySet<string>): boolean {
  for (const [line] of raw.toString('latin1').matchAll(MAY_DELIMIT)) {
    const text = line.slice('--'.length).trimEnd();
    if (boundaries.has(text) || (text.endsWith('--') && boundaries.has(text.slice(0, -2)))) {
      return true;
    }
  }
  return false;
}

const MAY_DELIMIT = /(?<=^|[\r\n])--[^\r\n]*/g;

/** A link with either the edit that replaces it, or the reason why it stays. */
interface Plan {
  readonly link: ClassifiedLink['link'];
  readonly reason?: SkipReason | undefined;
  readonly url?: string;
  readonly edit?: Edit;
}

function planFor(
  part: ReadPart,
  { candidate, link }: ClassifiedLink,
  url: string | undefined,
): Plan {
  if (url === undefined) {
    return { link, reason: link.reason ?? 'too-long' };
  }
  const { start, end } = part.bytesOf(candidate);
  return { link, url, edit: { start, end, bytes: part.encode(candidate.escape(url)) } };
}

function rewritten({ link, reason, url, edit }: Plan, refused: Spliced['refused']): RewrittenLink {
  const why = reason ?? (edit && refused.get(edit));
  return {
    part: link.part,
    target: link.target,
    tracked: why === undefined,
    name: link.name,
    sublink: link.sublink,
    reason: why,
    url: why === undefined ? url : undefined,
  };
}
