import { frame, frameHeader } from './frame.ts';
import { MAX_DATA, reply } from './protocol.ts';

/** One modification of a message, as sent at the end of the message. Texts are byte strings. */
export type Modification =
  | { readonly type: 'addHeader'; readonly name: string; readonly value: string }
  | ({ readonly type: 'insertHeader' } & IndexedHeader)
  /** An empty value deletes the field. */
  | ({ readonly type: 'changeHeader' } & IndexedHeader)
  | { readonly type: 'replaceBody'; readonly chunk: Buffer }
  | { readonly type: 'addRecipient'; readonly address: string; readonly args?: string }
  | { readonly type: 'deleteRecipient'; readonly address: string }
  | { readonly type: 'changeSender'; readonly address: string; readonly args?: string }
  | { readonly type: 'quarantine'; readonly reason: string };

interface IndexedHeader {
  readonly index: number;
  readonly name: string;
  readonly value: string;
}

type Short = Exclude<Modification, { type: 'replaceBody' }>;
type HeaderChange = Extract<Modification, { type: 'changeHeader' }>;

/** Collects the modifications of one message, and writes them in an order every MTA understands. */
export class ModificationQueue {
  /** The last change of each field, by name in lower case and index. */
  #changes = new Map<string, HeaderChange>();
  #others: Exclude<Short, HeaderChange>[] = [];
  #body: readonly Buffer[] | undefined;

  add(modification: Short): void {
    if (modification.type !== 'changeHeader') this.#others.push(modification);
    else {
      const { name, index } = modification;
      this.#changes.set(`${name.toLowerCase()}:${index}`, modification);
    }
  }

  replaceBody(chunks: readonly Buffer[]): void {
    this.#body = chunks;
  }

  /**
   * The frames, as buffers to be written one after another.
   * @param verbatim whether SMFIP_HDR_LEADSPC was agreed
   */
  encode(verbatim: boolean): Buffer[] {
    const out: Buffer[] = [];
    // After a deletion Postfix renumbers fields and Sendmail does not. From the end, both agree.
    const changes = [...this.#changes.values()].sort((a, b) => b.index - a.index);
    // The sort is stable: modifications of one type stay in the order of the calls.
    const others = this.#others.sort((a, b) => ORDER[a.type] - ORDER[b.type]);
    for (const each of [...changes, ...others]) out.push(encodeModification(each, verbatim));
    // Postfix answers 451 if other packets come between those of the body.
    if (this.#body !== undefined) encodeBody(this.#body, out);
    return out;
  }
}

/** Insertions and additions shift the indexes of header changes, so they follow them. */
const ORDER: Readonly<Record<Exclude<Short, HeaderChange>['type'], number>> = {
  insertHeader: 0,
  addHeader: 1,
  changeSender: 2,
  deleteRecipient: 3,
  addRecipient: 4,
  quarantine: 5,
};

function encodeModification(modification: Short, verbatim: boolean): Buffer {
  switch (modification.type) {
    case 'addHeader':
      return frame(reply.addHeader, headerText(modification, verbatim));
    case 'insertHeader':
    case 'changeHeader': {
      const index = uint32(modification.index);
      return frame(reply[modification.type], index + headerText(modification, verbatim));
    }
    case 'addRecipient': {
      const letter =
        modification.args === undefined ? reply.addRecipient : reply.addRecipientWithArguments;
      return frame(letter, envelopeText(modification));
    }
    case 'deleteRecipient':
    case 'changeSender':
      return frame(reply[modification.type], envelopeText(modification));
    case 'quarantine':
      return frame(reply.quarantine, `${modification.reason}\0`);
  }
}

/** With SMFIP_HDR_LEADSPC the MTA adds no space after the colon. An empty value always deletes. */
function headerText(header: { name: string; value: string }, verbatim: boolean): string {
  const space = verbatim && header.value !== '' ? ' ' : '';
  return `${header.name}\0${space}${header.value}\0`;
}

function envelopeText({ address, args }: { address: string; args?: string }): string {
  return args === undefined ? `${address}\0` : `${address}\0${args}\0`;
}

function uint32(value: number): string {
  return String.fromCharCode(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
}

/**
 * Appends SMFIR_REPLBODY packets, as few as possible, without copying the chunks. An empty body is
 * one empty packet.
 */
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
      // A new body often has many small chunks: those that fit need no view of their own.
      const piece = at === 0 && chunk.length <= room ? chunk : chunk.subarray(at, at + room);
      out.push(piece);
      at += piece.length;
      room -= piece.length;
      left -= piece.length;
    }
  }
}
