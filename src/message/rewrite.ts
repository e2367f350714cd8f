import type { BodyChunks } from './body-chunks.ts';
import type { JudgedLink } from './classify-links.ts';
import type { Edit, Spliced } from './content.ts';
import type { RewrittenLink, RewrittenMessage, UrlFor } from './link.ts';
import type { ReadPart } from './read-part.ts';

/**
 * Puts tracked URLs in the place of links and takes our own marks out; every other byte stays as it was.
 *
 * @param parts in the order of the body
 * @param growth bytes that all URLs together may add: where they are used up, the rest of the links is left alone
 */
export function rewriteParts(
  body: BodyChunks,
  parts: ReadonlyMap<ReadPart, readonly JudgedLink[]>,
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
  for (const [part, judged] of parts) {
    const edits: Edit[] = part.scanned.marks.map((mark) => ({ ...part.bytesOf(mark), bytes: '' }));
    const plans: Plan[] = [];
    for (const one of judged) {
      let plan = planFor(part, one, urlFor);
      const { edit } = plan;
      if (edit !== undefined) {
        room -= Math.max(0, edit.bytes.length - (edit.end - edit.start));
        if (room < 0) {
          plan = { link: { ...plan.link, reason: 'growth' } };
        } else {
          edits.push(edit);
        }
      }
      plans.push(plan);
    }
    if (part.scanned.marks.length > 0) {
      edits.sort((a, b) => a.start - b.start);
    }
    const { raw, refused } = part.content.splice(edits);
    if (refused.size < edits.length) {
      keep(part.found.start);
      pieces.push(raw);
      copied = part.found.end;
    }
    for (const plan of plans) {
      links.push(outcomeOf(plan, refused));
    }
  }
  if (copied === 0) {
    return { links };
  }
  keep(body.length);
  return { body: pieces.filter(({ length }) => length > 0), links };
}

/** One link, and what is to become of it. */
interface Plan {
  readonly link: JudgedLink['link'];
  readonly url?: string;
  readonly edit?: Edit;
}

function planFor(part: ReadPart, { candidate, link }: JudgedLink, urlFor: UrlFor): Plan {
  if (link.reason !== undefined) {
    return { link };
  }
  const url = urlFor(link);
  if (url === undefined) {
    return { link: { ...link, reason: 'too-long' } };
  }
  const { start, end } = part.bytesOf(candidate);
  return { link, url, edit: { start, end, bytes: part.encode(candidate.escape(url)) } };
}

function outcomeOf({ link, url, edit }: Plan, refused: Spliced['refused']): RewrittenLink {
  const refusal = edit && refused.get(edit);
  // Field by field: a spread of objects of several shapes costs more than the splice.
  const outcome: { -readonly [Key in keyof RewrittenLink]: RewrittenLink[Key] } = {
    part: link.part,
    target: link.target,
    tracked: edit !== undefined && refusal === undefined,
  };
  if (link.name !== undefined) {
    outcome.name = link.name;
  }
  if (link.sublink !== undefined) {
    outcome.sublink = link.sublink;
  }
  const reason = link.reason ?? refusal;
  if (reason !== undefined) {
    outcome.reason = reason;
  } else if (url !== undefined) {
    outcome.url = url;
  }
  return outcome;
}
