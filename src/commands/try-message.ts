import type { MessageReport } from '../filter/report.ts';
import { SMTPAPI } from '../filter/smtpapi.ts';
import {
  type Envelope,
  type FilterParts,
  type FilterSettings,
  Transaction,
} from '../filter/transaction.ts';
import type { HeaderField } from '../message/header-fields.ts';

/** A message as the milter would change it, with the report. */
export interface TriedMessage {
  readonly transaction: Transaction;
  readonly message: Buffer;
  readonly report: MessageReport;
}

/** Sends a message through the code that mail passes, without an MTA. */
export async function tryMessage(
  message: Buffer,
  settings: FilterSettings,
  parts: FilterParts,
  envelope: Envelope & { readonly recipients: readonly string[] },
): Promise<TriedMessage> {
  const file = readMessageFile(message);
  const transaction = new Transaction(settings, parts, envelope);
  const untouched = (report: MessageReport) => ({ transaction, message, report });
  if (transaction.isOff) return untouched(transaction.report('untouched', 'off'));
  if (isOverLimit(settings, envelope.recipients.length, file)) {
    return untouched(transaction.report('untouched', 'over-limit'));
  }

  for (const recipient of envelope.recipients) transaction.recipient(recipient);
  for (const { name, value } of file.fields) transaction.header({ name, value });
  const header = transaction.endOfHeaders();
  if (header.report !== undefined && header.answer !== 'skip body') return untouched(header.report);
  transaction.body(file.body);
  const ending = await transaction.end(undefined);
  const report = header.report ?? ending.report ?? transaction.report('untouched');
  if (ending.body === undefined && ending.smtpapiHeaders === 0) return untouched(report);

  const kept = file.fields.filter(
    ({ name }) => ending.smtpapiHeaders === 0 || name.toLowerCase() !== SMTPAPI,
  );
  const pieces = [
    file.preface,
    ...kept.map(({ bytes }) => bytes),
    file.separator,
    ...(ending.body ?? [file.body]),
  ];
  return { transaction, message: Buffer.concat(pieces), report };
}

/** Checks the limits that the milter server checks before the filter. */
function isOverLimit(
  { limits }: FilterSettings,
  recipients: number,
  { fields }: MessageFile,
): boolean {
  const bytes = fields.reduce((sum, { name, value }) => sum + name.length + value.length, 0);
  return (
    recipients > limits.recipients ||
    fields.length > limits.headerCount ||
    bytes > limits.headerBytes
  );
}

/** A message in a file, with CRLF or LF line ends. */
export interface MessageFile {
  /** Fields as a milter passes them: byte strings, folded with LF, with the space after the colon. */
  readonly fields: readonly (HeaderField & { readonly bytes: Buffer })[];
  /** An mbox "From " line before the header. */
  readonly preface: Buffer;
  /** The empty line between header and body. */
  readonly separator: Buffer;
  readonly body: Buffer;
}

const LF = 0x0a;

/** Splits a message into pieces, which together are the same bytes. A line that is not a header field ends the header. */
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

/** The position after the line that begins at `start`. */
function lineEnd(message: Buffer, start: number): number {
  const end = message.indexOf(LF, start);
  return end < 0 ? message.length : end + 1;
}
