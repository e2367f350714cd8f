import { reasonOf } from '../lib/logger.ts';
import type { MilterClient } from '../milter/client.ts';
import { sendNewsletter } from './demo-newsletter.ts';
import { CommandFailed, exitCode } from './exit-code.ts';

/** How long the demo waits for each answer. */
export const WITHIN_MS = 5_000;

/** The User-Agent of a browser, and of a scanner that names itself. */
const BROWSER = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';
const SCANNER = 'Mozilla/5.0 (compatible; ExampleLinkScannerBot/1.0)';

/** What the demo's other readers did. */
export interface Audience {
  readonly messages: number;
  readonly people: number;
  readonly scanned: number;
}

const NAMES = ['bob', 'cleo', 'dan', 'eve', 'finn', 'gil', 'hana', 'ivo', 'jo', 'kim', 'lee', 'mo'];

/**
 * Sends the newsletter to more readers: some click a link or two, and a scanner follows every link
 * of one copy.
 * @param pause waits before each message
 */
export async function playAudience(
  milter: MilterClient,
  pause: () => Promise<void>,
): Promise<Audience> {
  let people = 0;
  let scanned = 0;
  for (const [index, name] of NAMES.entries()) {
    await pause();
    const { links } = await sendNewsletter(milter, `${name}@customer.example`);
    const isScanned = index === 1;
    const followed = isScanned ? links : links.slice(index % 4, (index % 4) + (index % 3));
    for (const link of followed) await follow(link, isScanned ? SCANNER : BROWSER);
    if (isScanned) scanned++;
    else if (followed.length > 0) people++;
  }
  return { messages: NAMES.length, people, scanned };
}

/**
 * Follows a link; its target is not loaded.
 * @throws CommandFailed if the answer is not a redirect
 */
export async function follow(link: string, userAgent = BROWSER): Promise<Response> {
  const expected = 'expected a redirect: the host of tracked links must lead to HTTP_Listener';
  let response: Response;
  try {
    response = await fetch(link, {
      redirect: 'manual',
      headers: { 'user-agent': userAgent },
      signal: AbortSignal.timeout(WITHIN_MS),
    });
  } catch (error) {
    throw new CommandFailed(exitCode.unavailable, `GET ${link}: ${reasonOf(error)}: ${expected}`);
  }
  if (response.status !== 302) {
    throw new CommandFailed(exitCode.unavailable, `GET ${link}: ${response.status}: ${expected}`);
  }
  return response;
}
