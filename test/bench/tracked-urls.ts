import { connectMilter } from '../../src/milter/client.ts';
import type { Milter } from './milters.ts';
import type { Message } from './recording.ts';
import { TRACKING_DOMAIN } from './service.ts';

const TRACKED = new RegExp(`https?://${TRACKING_DOMAIN.replaceAll('.', '\\.')}/[\\w/-]+`, 'g');

/** Sends so many quoted-printable messages through a milter, and collects the URLs its links got. */
export async function trackedUrls(
  milter: Milter,
  messages: readonly Message[],
  count: number,
): Promise<URL[]> {
  const client = await connectMilter({ path: milter.socket });
  const urls: URL[] = [];
  for (let i = 0; i < count; i++) {
    const sent = messages[i % messages.length];
    if (sent === undefined) throw new Error('no message to send');
    const { message } = await client.send({ message: wholeMessage(sent) });
    // The only escapes that matter inside a URL: soft line breaks. Its other characters are literal.
    const text = message.toString('latin1').replaceAll('=\r\n', '');
    for (const [url] of text.matchAll(TRACKED)) urls.push(new URL(url));
  }
  await client.quit();
  if (urls.length === 0) throw new Error(`${milter.name} tracked no link`);
  return urls;
}

function wholeMessage({ headers, body }: Message): Buffer {
  const head = headers.map(({ name, value }) => `${name}: ${value.replaceAll('\n', '\r\n')}\r\n`);
  return Buffer.concat([Buffer.from(`${head.join('')}\r\n`), body]);
}
