import { randomBytes } from 'node:crypto';
import { type Newsletter, newsletter } from '../helpers/newsletter.ts';
import { type Message, Recording } from './recording.ts';

/** So many different ones, that nobody is measured on remembering the last. */
const DIFFERENT = 400;
const ATTACHMENTS = 16;

const RECIPIENTS = 400;

/** Links of the HTML part. 10 of them are in the text part too. */
const LINKS = 38;

/** Different newsletters in quoted-printable multipart/alternative, all to one recipient. */
export function newsletters(size: number, count = DIFFERENT, links = LINKS): Newsletter[] {
  return Array.from({ length: count }, (_, seed) => newsletter({ size, links, seed: seed + 1 }));
}

/** One of these newsletters as it goes to many recipients, who have two links of their own each. */
export function copies(size: number, count = RECIPIENTS, links = LINKS): Recording[] {
  return Array.from({ length: count }, (_, number) => {
    const user = (100_000 + number).toString();
    const message = newsletter({ size, links, user });
    return new Recording(message, { recipient: `user-${user}@recipient.example` });
  });
}

/** The same of 20 KB, with an attachment that makes them as large as asked. */
export function withAttachment(size: number, count = ATTACHMENTS): Message[] {
  return newsletters(20_000, count).map(({ headers, body }) => attach(headers, body, size));
}

/** Mail as people's programs send it: 2 KB of text with 2 links. */
export function letters(count = DIFFERENT): Message[] {
  return newsletters(20_000, count).map(({ headers, links }, number) => {
    const line = `This is line after line of letter ${number}, as somebody might write it.\r\n`;
    const text = line.repeat(14);
    return {
      headers: headers.filter(({ name }) => !/^(?:content-type|list-)/i.test(name)),
      body: Buffer.from(`${text}${links[0]}\r\n${text}See <${links[1]}> too.\r\n`),
    };
  });
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
