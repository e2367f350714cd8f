import type { HeaderField } from './header-fields.ts';

/** A whole message in pieces, with CRLF or LF line ends. Joined, the pieces are the message again. */
export interface MessageFile {
  /** An mbox "From " line before the header. */
  readonly preface: Buffer;
  /** The header fields as a milter gets them, each with its bytes in the message. */
  readonly fields: readonly (HeaderField & { readonly bytes: Buffer })[];
  /** The empty line between header and body. */
  readonly separator: Buffer;
  readonly body: Buffer;
}

/** Splits a message into its pieces. The first line that is not part of a header field ends the header. */
export function readMessageFile(message: Buffer): MessageFile {
  const fields: { name: string; value: string; bytes: Buffer }[] = [];
  const preface = message.subarray(0, 5).equals(Buffer.from('From ')) ? lineEnd(message, 0) : 0;
  let position = preface;
  while (position < message.length) {
    let end = lineEnd(message, position);
    while (message[end] === 0x20 || message[end] === 0x09) end = lineEnd(message, end);
    const bytes = message.subarray(position, end);
    const text = bytes.toString('latin1');
    const name = /^([!-9;-~]+)[ \t]*:/.exec(text)?.[1];
    if (name === undefined) break;
    const value = text.slice(text.indexOf(':') + 1).replaceAll('\r\n', '\n');
    fields.push({ name, value: value.replace(/\n$/, ''), bytes });
    position = end;
  }
  const isEmptyLine = /^\r?\n/.test(message.toString('latin1', position, position + 2));
  const body = isEmptyLine ? lineEnd(message, position) : position;
  return {
    fields,
    preface: message.subarray(0, preface),
    separator: message.subarray(position, body),
    body: message.subarray(body),
  };
}

/** The offset behind the line that starts at an offset. */
function lineEnd(message: Buffer, start: number): number {
  const end = message.indexOf('\n', start);
  return end < 0 ? message.length : end + 1;
}
