import type { Envelope, FilterParts, FilterSettings } from '../filter/options.ts';
import type { MessageReport } from '../filter/report.ts';
import { Transaction } from '../filter/transaction.ts';
import { readMessageFile } from '../message/message.ts';

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
  if (transaction.isOff) return untouched(transaction.report('untouched', { reason: 'off' }));

  for (const recipient of envelope.recipients) transaction.recipient(recipient);
  for (const { name, value } of file.fields) transaction.header({ name, value });
  const header = transaction.endOfHeaders();
  if (header.report !== undefined && header.answer !== 'skip body') return untouched(header.report);
  transaction.body(file.body);
  const ending = await transaction.end();
  const report = header.report ?? ending.report ?? transaction.report('untouched');
  if (ending.body === undefined && ending.headersToRemove.size === 0) return untouched(report);

  const kept = file.fields.filter(({ name }) => !ending.headersToRemove.has(name.toLowerCase()));
  const pieces = [
    file.preface,
    ...kept.map(({ bytes }) => bytes),
    file.separator,
    ...(ending.body ?? [file.body]),
  ];
  return { transaction, message: Buffer.concat(pieces), report };
}
