import { setTimeout as sleep } from 'node:timers/promises';
import { styleText } from 'node:util';
import type { Command } from 'commander';
import { diffLines } from 'diff';
import { pino } from 'pino';
import type { Configuration } from '../config/configuration.ts';
import { codeOf } from '../lib/files.ts';
import { reasonOf, silent } from '../lib/logger.ts';
import { noMetrics } from '../lib/metrics.ts';
import { printableJson } from '../lib/printable.ts';
import { connectMilter, type MilterClient } from '../milter/client.ts';
import { describePlace, pageAddress } from '../service/listen.ts';
import { startService } from '../service/service.ts';
import type { EventReader } from '../store/events.ts';
import { openStore } from '../store/open-store.ts';
import type { Previews } from '../store/store.ts';
import { configured } from './configured.ts';
import { follow, playAudience, WITHIN_MS } from './demo-audience.ts';
import { CAMPAIGN, newsletter, sendNewsletter } from './demo-newsletter.ts';
import { examineStore } from './doctor-store.ts';
import { CommandFailed, exitCode } from './exit-code.ts';
import { whileAvailable } from './with-store.ts';

/** `clickmilter demo` plays the MTA and a reader against the service. */
export function demoCommand(program: Command): void {
  program
    .command('demo')
    .summary('try the service without an MTA')
    .description('send a newsletter through the service, click a link, show the click event')
    .action(async () => {
      const config = configured(program);
      const milter = await connect(config);
      if (milter !== undefined) {
        say('The service is running; this plays the MTA against it.');
        return whileAvailable(() => demo(config, milter));
      }
      say('No service is running, so this starts one (npm start does the same).');
      const service = await startService(config, { logger: pino({ level: 'warn' }) });
      try {
        const own = await connect(config);
        if (own !== undefined) await whileAvailable(() => demo(config, own));
      } finally {
        await service.close();
      }
    });
}

async function demo(config: Configuration, milter: MilterClient): Promise<void> {
  try {
    await play(config, milter);
  } finally {
    milter.destroy(); // the service would wait for the session to end
  }
}

async function play(config: Configuration, milter: MilterClient): Promise<void> {
  await milter.open({
    macros: {
      connect: {
        '{daemon_name}': 'smtpd',
        '{daemon_addr}': '127.0.0.1',
        '{daemon_port}': '587',
        '{client_addr}': '127.0.0.1',
      },
    },
  });
  const { before, after, links } = await sendNewsletter(milter, newsletter.recipient);
  const [link, another] = links;
  if (link === undefined || another === undefined) {
    const why =
      (await storeTrouble(config)) ??
      `is click_tracking_enabled on for 127.0.0.1 in ${config.file}?`;
    throw new CommandFailed(
      exitCode.unavailable,
      `the newsletter came back without tracked links: ${why}`,
    );
  }

  heading(`1. The newsletter before (-) and after (+) the milter: ${links.length} links tracked`);
  printDiff(before, after);

  const store = await openStore(config, silent, noMetrics);
  const events = store.events.openReader('newest');
  try {
    await followOne(link, events);
    if (pageAddressOf(config) !== undefined) await fillPage(milter, store.previews);
    await milter.quit();
    await invite(another, events, pageAddressOf(config));
  } finally {
    await events.close();
    await store.close();
  }
}

async function followOne(link: string, events: EventReader): Promise<void> {
  heading('2. A reader clicks a link');
  await events.next(1, 0); // from now on
  const { status, statusText, headers } = await follow(link);
  say(`GET ${link}`);
  say(`${status} ${statusText}`);
  say(`Location: ${headers.get('location')}`);

  heading('3. The click event');
  await print(events, 10_000);
}

async function print(events: EventReader, waitMs: number): Promise<void> {
  for (const { event } of await events.next(10, waitMs)) {
    say(printableJson(JSON.stringify(JSON.parse(event), null, 2)));
  }
}

/** The time between two readers while the newsletter has no click map: it is made of a few copies. */
const PAUSE_MS = 300;

/** Gives the engagement page something to show. */
async function fillPage(milter: MilterClient, previews: Previews): Promise<void> {
  heading('4. More readers');
  const { messages, people, scanned } = await playAudience(milter, async () => {
    if ((await previews.of(CAMPAIGN)).length === 0) await sleep(PAUSE_MS);
  });
  say(`The same newsletter to ${messages} more readers: ${people} of them click.`);
  say(`A scanner follows every link of ${scanned} message, which counts as automatic.`);
}

/** Shows clicks of the user's own browser on a terminal, until Ctrl-C. */
async function invite(
  link: string,
  events: EventReader,
  pageAddress: string | undefined,
): Promise<void> {
  const isTerminal = process.stdout.isTTY;
  if (isTerminal) {
    heading('Your turn');
    say(`Open this in a browser, and the click shows up here (Ctrl-C ends):\n\n  ${link}\n`);
    await events.next(1000, 0);
  } else {
    say(`\nAnother one, for a browser: ${link}`);
  }
  if (pageAddress !== undefined) {
    say('Clicks are counted when it is known who made them, after some seconds.');
    say(`Who clicked what, while the service runs: ${pageAddress}`);
  }
  let ended = !isTerminal;
  process.once('SIGINT', () => {
    ended = true;
  });
  while (!ended) await print(events, 500);
}

function pageAddressOf({ web }: Configuration): string | undefined {
  return web.listen.map(pageAddress).find((address) => address !== undefined);
}

/** Describes what is wrong with the link store, if anything is. */
async function storeTrouble(config: Configuration): Promise<string | undefined> {
  const trouble = (await examineStore(config)).find(({ level }) => level === 'error');
  return trouble && `the link store is not available. ${trouble.message}`;
}

/**
 * Connects to the milter.
 * @returns undefined if nobody listens at its address
 * @throws CommandFailed if something listens there that does not answer as a milter
 */
async function connect({ milter }: Configuration): Promise<MilterClient | undefined> {
  const [where] = milter.listen;
  if (where === undefined) {
    throw new CommandFailed(exitCode.configuration, 'no Milter_Listener is configured');
  }
  try {
    return await connectMilter(where, { timeout: WITHIN_MS });
  } catch (error) {
    if (['ECONNREFUSED', 'ENOENT'].includes(String(codeOf(error)))) return undefined;
    if (codeOf(error) === 'EACCES') throw error;
    throw new CommandFailed(
      exitCode.unavailable,
      `${describePlace(where)}: ${reasonOf(error)}: expected clickmilter's milter, or nobody: another program has this address, or the service hangs`,
    );
  }
}

function printDiff(before: Buffer, after: Buffer): void {
  const changes = diffLines(lines(before), lines(after));
  for (const { value, added, removed } of changes) {
    const [mark, colour] = added
      ? (['+', 'green'] as const)
      : removed
        ? (['-', 'red'] as const)
        : ([' ', 'dim'] as const);
    for (const line of value.replace(/\n$/, '').split('\n')) {
      say(styleText(colour, `${mark} ${line}`));
    }
  }
}

function lines(message: Buffer): string {
  return message.toString('utf8').replaceAll('\r\n', '\n');
}

function heading(text: string): void {
  say(`\n${styleText('bold', text)}\n`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
