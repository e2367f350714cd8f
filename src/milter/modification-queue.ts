import { frame, frameHeader } from './frame.ts';
import type { Modification } from './modification.ts';
import { MAX_DATA, reply } from './protocol.ts';

type HeaderChange = Extract<Modification, { type: 'changeHeader' }>;
type Other = Exclude<Modification, { type: 'changeHeader' | 'replaceBody' }>;

/** The modifications of one message, collected in any order and written in one that every MTA understands. */
export class ModificationQueue {
  /** By name in lower case and index: the last word counts. */
  #changes = new Map<string, HeaderChange>();
  #others: Other[] = [];
  #body: readonly Buffer[] | undefined;

  changeHeader(name: string, index: number, value: string): void {
    this.#changes.set(`${name.toLowerCase()}:${index}`, {
      type: 'changeHeader',
      name,
      index,
      value,
    });
  }

  add(modification: Other): void {
    this.#others.push(modification);
  }

  replaceBody(chunks: readonly Buffer[]): void {
    this.#body = chunks;
  }

  /** The frames, as buffers to be written one after another. `verbatim`: SMFIP_HDR_LEADSPC was agreed. */
  encode(verbatim: boolean): Buffer[] {
    const out: Buffer[] = [];
    // Postfix counts anew after a deletion and Sendmail does not: from the end both count alike.
    const changes = [...this.#changes.values()].sort((a, b) => b.index - a.index);
    // The sort is stable: among equals, what was asked for first goes first.
    const others = this.#others.sort((a, b) => PLACE[a.type] - PLACE[b.type]);
    for (const each of [...changes, ...others]) out.push(encodeModification(each, verbatim));
    // Contiguous, or Postfix answers 451.
    if (this.#body !== undefined) encodeBody(this.#body, out);
    return out;
  }
}

/** Insertions and additions would shift the indexes of changes, so they come after them. */
const PLACE: Readonly<Record<Other['type'], number>> = {
  insertHeader: 0,
  addHeader: 1,
  changeSender: 2,
  deleteRecipient: 3,
  addRecipient: 4,
  quarantine: 5,
};

/** One modification but a body's as a frame. */
export function encodeModification(modification: Other | HeaderChange, verbatim: boolean): Buffer {
  switch (modification.type) {
    case 'addHeader':
      return frame(reply.addHeader, headerText(modification, verbatim));
    case 'insertHeader':
      return frame(
        reply.insertHeader,
        number(modification.index) + headerText(modification, verbatim),
      );
    case 'changeHeader':
      return frame(
        reply.changeHeader,
        number(modification.index) + headerText(modification, verbatim),
      );
    case 'addRecipient':
      return modification.args === undefined
        ? frame(reply.addRecipient, `${modification.address}\0`)
        : frame(reply.addRecipientWithArguments, `${modification.address}\0${modification.args}\0`);
    case 'deleteRecipient':
      return frame(reply.deleteRecipient, `${modification.address}\0`);
    case 'changeSender':
      return frame(
        reply.changeSender,
        modification.args === undefined
          ? `${modification.address}\0`
          : `${modification.address}\0${modification.args}\0`,
      );
    case 'quarantine':
      return frame(reply.quarantine, `${modification.reason}\0`);
  }
}

/** With SMFIP_HDR_LEADSPC the MTA adds no space after the colon; an empty value means deletion either way. */
function headerText(header: { name: string; value: string }, verbatim: boolean): string {
  const space = verbatim && header.value !== '' ? ' ' : '';
  return `${header.name}\0${space}${header.value}\0`;
}

function number(value: number): string {
  return String.fromCharCode(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

/** SMFIR_REPLBODY: as few packets as possible, the chunks themselves not copied. An empty body is one empty packet. */
function encodeBody(chunks: readonly Buffer[], out: Buffer[]): void {
  let left = 0;
  for (const chunk of chunks) left += chunk.length;
  if (left === 0) out.push(frameHeader(reply.replaceBody, 0));
  let room = 0;
  for (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      if (room === 0) {
        room = Math.min(left, MAX_DATA);
        out.push(frameHeader(reply.replaceBody, room));
      }
      // A new body is often of many small chunks: no view is made of one that fits.
      const piece = at === 0 && chunk.length <= room ? chunk : chunk.subarray(at, at + room);
      out.push(piece);
      at += piece.length;
      room -= piece.length;
      left -= piece.length;
    }
  }
}
