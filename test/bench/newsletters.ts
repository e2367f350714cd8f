import { randomBytes } from 'node:crypto';
import { type Newsletter, newsletter } from '../helpers/newsletter.ts';
import { type Message, Recording } from './recording.ts';

/** So many different ones, that nobody is measured on remembering the last. */
const DIFFERENT = 16;

const RECIPIENTS = 400;

/** Newsletters in quoted-printable multipart/alternative with 48 links, 10 of them in the text part. */
export function newsletters(size: number, count = DIFFERENT): Newsletter[] {
  return Array.from({ length: count }, (_, seed) =>
    newsletter({ size, links: 38, seed: seed + 1 }),
  );
}

/** One of these newsletters as it goes to many recipients, who have two links of their own each. */
export function copies(size: number, count = RECIPIENTS): Recording[] {
  return Array.from({ length: count }, (_, number) => {
    const user = (100_000 + number).toString();
    const message = newsletter({ size, links: 38, user });
    return new Recording(message, { recipient: `user-${user}@recipient.example` });
  });
}

/** The same of 20 KB, with an attachment that makes them as large as asked. */
export function withAttachment(size: number, count = DIFFERENT): Message[] {
  return newsletters(20_000, count).map(({ headers, body }) => attach(headers, body, size));
}

export function record(messages: readonly Message[]): Recording[] {
  return messages.map((message) => new Recording(message));
}

function attach(headers: Message['headers'], body: Buffer, size: number): Message {
  const boundary = '=_mixed_of_the_bench';
  const isContentType = ({ name }: { name: string }) => name.toLowerCase() === 'content-type';
  const alternative = headers.find(isContentType)?.value ?? 'text/plain';
  const base64 = randomBytes(Math.floor(((size - body.length) * 3 * 76) / (4 * 78)))
    .toString('base64')
    .replace(/.{76}/g, '$&\r\n');
  return {
    headers: [
      ...headers.filter((header) => !isContentType(header)),
      { name: 'Content-Type', value: `multipart/mixed;\n\tboundary="${boundary}"` },
    ],
    body: Buffer.concat([
      Buffer.from(`--${boundary}\r\nContent-Type: ${alternative.replaceAll('\n', '\r\n')}\r\n\r\n`),
      body,
      Buffer.from(
        `\r\n--${boundary}\r\nContent-Type: application/pdf; name="catalogue.pdf"\r\n` +
          `Content-Disposition: attachment; filename="catalogue.pdf"\r\nContent-Transfer-Encoding: base64\r\n\r\n`,
      ),
      Buffer.from(base64),
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ]),
  };
}
