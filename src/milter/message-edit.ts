import type { Modification } from './modification.ts';

/** Modifies a message as Postfix does at the end of the message. */

/** A message split into header fields, byte for byte, and body. */
export interface SplitMessage {
  readonly fields: readonly Field[];
  readonly body: Buffer;
}

interface Field {
  readonly name: string;
  /** The text after the colon, without the last line end. Folded lines are separated by LF. */
  readonly raw: string;
}

/** Splits at the first empty line, or as in Postfix at the first line that is not a field. */
export function splitMessage(message: Buffer): SplitMessage {
  const end = message.indexOf('\r\n\r\n');
  const headerEnd = message.subarray(0, 2).equals(CRLF) ? 0 : end < 0 ? message.length : end + 2;
  const fields: Field[] = [];
  const text = message.toString('latin1', 0, headerEnd);
  let at = 0;
  while (at < text.length) {
    let next = text.indexOf('\r\n', at);
    while (next >= 0 && (text[next + 2] === ' ' || text[next + 2] === '\t')) {
      next = text.indexOf('\r\n', next + 2);
    }
    const field = text.slice(at, next < 0 ? text.length : next);
    const colon = field.indexOf(':');
    if (colon < 1) break;
    fields.push({
      name: field.slice(0, colon),
      raw: field.slice(colon + 1).replaceAll('\r\n', '\n'),
    });
    at = next < 0 ? text.length : next + 2;
  }
  const body = message.subarray(at, at + 2).equals(CRLF) ? at + 2 : at;
  return { fields, body: message.subarray(body) };
}

/** The Received field of the MTA itself. It counts for insertions and is not part of the result. */
const OWN_RECEIVED: Field = { name: '', raw: '' };

const CRLF = Buffer.from('\r\n');

/**
 * Applies modifications, in their order on the wire, to a message with CRLF line ends.
 * @returns the new message, or the same buffer if there are no modifications
 */
export function applyModifications(
  message: Buffer,
  modifications: readonly Modification[],
): Buffer {
  if (modifications.length === 0) return message;
  const split = splitMessage(message);
  const fields = [OWN_RECEIVED, ...split.fields];
  const newBody: Buffer[] = [];
  let replaced = false;
  for (const modification of modifications) {
    switch (modification.type) {
      case 'addHeader':
        fields.push(field(modification));
        break;
      case 'insertHeader':
        fields.splice(modification.index, 0, field(modification));
        break;
      case 'changeHeader':
        change(fields, modification);
        break;
      case 'replaceBody':
        replaced = true;
        newBody.push(modification.chunk);
        break;
    }
  }
  fields.splice(fields.indexOf(OWN_RECEIVED), 1);
  const header = fields.map(({ name, raw }) => `${name}:${raw.replaceAll('\n', '\r\n')}\r\n`);
  return Buffer.concat([
    Buffer.from(`${header.join('')}\r\n`, 'latin1'),
    ...(replaced ? newBody : [split.body]),
  ]);
}

function field({ name, value }: { name: string; value: string }): Field {
  return { name, raw: ` ${value}` };
}

function change(fields: Field[], to: { name: string; index: number; value: string }): void {
  const name = to.name.toLowerCase();
  let seen = 0;
  const at = fields.findIndex((each) => each.name.toLowerCase() === name && ++seen === to.index);
  if (to.value === '') {
    if (at >= 0) fields.splice(at, 1);
  } else if (at >= 0) fields[at] = field(to);
  else fields.push(field(to));
}

/** An envelope after modifications. */
interface Envelope {
  readonly sender: string;
  readonly recipients: readonly string[];
  /** The reason for which the message is held. */
  readonly quarantine: string | undefined;
}

/** Applies modifications to an envelope. */
export function applyToEnvelope(
  from: string,
  to: readonly string[],
  modifications: readonly Modification[],
): Envelope {
  let sender = from;
  let quarantine: string | undefined;
  const recipients = new Set(to);
  for (const modification of modifications) {
    if (modification.type === 'addRecipient') recipients.add(modification.address);
    if (modification.type === 'deleteRecipient') recipients.delete(modification.address);
    if (modification.type === 'changeSender') sender = modification.address;
    if (modification.type === 'quarantine') quarantine = modification.reason;
  }
  return { sender, recipients: [...recipients], quarantine };
}
