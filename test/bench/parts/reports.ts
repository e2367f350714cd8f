import { writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { DAY_MS, dayOf } from '../../../src/lib/days.ts';
import { silent } from '../../../src/lib/logger.ts';
import { noMetrics } from '../../../src/lib/metrics.ts';
import { SealKeyFile } from '../../../src/link/seal-key-file.ts';
import { createSealedLinks } from '../../../src/link/sealed-links.ts';
import { createLocalStore } from '../../../src/store/local/store.ts';
import type { Store } from '../../../src/store/store.ts';
import { eventsDefaults } from '../../helpers/option-defaults.ts';
import { countYear } from '../../helpers/year-of-counts.ts';
import { openStore } from '../../store/redis/open-store.ts';
import type { Bench, Part, Row } from '../harness.ts';
import { listening } from '../milters.ts';
import { Rounds } from '../rounds.ts';

/** Milliseconds that a view may take. */
const AT_MOST = 300;
/** The address of each view, with a link of the oldest message. */
const VIEWS: Readonly<Record<string, (link: string) => string>> = {
  overview: () => '/',
  campaign: () => '/campaign?campaign=Newsletter%200',
  // Of all breakdowns of a year, the one with the most rows.
  rows: () => `/rows?by=campaign&since=${dayOf(Date.now() - 364 * DAY_MS)}`,
  message: (link) => `/message?find=${link}`,
  live: () => '/live',
};
const DOMAIN = 'click.example.com';
/** Views of a page that has answered before. */
const LATER = 9;

/** A store by name, and the lines of a configuration that lead to it. */
interface Backend {
  open(name: string): Store;
  settings(name: string): string;
}

/** Views of the engagement page: with a year of 1,000 campaigns, and with one campaign. */
export const reports: Part = {
  name: 'reports',
  async run(bench) {
    const { url, socket } = await bench.redis();
    const backends: Readonly<Record<string, Backend>> = {
      Redis: {
        open: (name) => openStore({ url, keyPrefix: `${name}:` }),
        settings: (name) =>
          `link_store = "redis"\nredis { url = "unix://${socket}"  key_prefix = "${name}:" }`,
      },
      files: {
        open: (name) => localStore(journalOf(bench, name)),
        settings: (name) =>
          `link_store = "sealed"\nevents { journal = "${journalOf(bench, name)}" }`,
      },
    };
    const rows: Row[] = [];
    for (const [where, backend] of Object.entries(backends)) {
      rows.push(...(await compare(bench, where, backend)));
    }
    return rows;
  },
};

async function compare(bench: Bench, where: string, { open, settings }: Backend): Promise<Row[]> {
  const many = bench.options.quick ? 10 : 1_000;
  const links = {
    one: await count(bench, open('one'), 1),
    year: await count(bench, open('year'), many),
  };
  const rows: Row[] = [];
  for (const [view, pathOf] of Object.entries(VIEWS)) {
    const measure = (name: keyof typeof links) =>
      timesOf(bench, name, settings(name), pathOf(links[name]));
    const rounds = await Rounds.run(bench.options.rounds, {
      one: () => measure('one'),
      year: () => measure('year'),
    });
    for (const [figure, which] of [
      ['first', 'first view after a start'],
      ['cpu', 'CPU of the first view'],
      ['later', 'later view'],
    ] as const) {
      const [alone, among] = [rounds.median('one', figure), rounds.median('year', figure)];
      rows.push({
        what: `${view} from ${where}, ${which}, a year of ${many.toLocaleString('en')} campaigns`,
        ours: { who: 'HTML', value: among, unit: 'ms' },
        beside: {
          who: `of one campaign alone (${rounds.ratio('year', 'one', figure)?.toFixed(1)} times that)`,
          value: alone,
          unit: 'ms',
        },
        ratio: among,
        goal: { atMost: AT_MOST },
      });
    }
  }
  return rows;
}

/**
 * Counts a year, and sums it up as the role events does.
 * @returns the token of a link in the oldest message, which was clicked
 */
async function count(bench: Bench, store: Store, campaigns: number): Promise<string> {
  await countYear(store.counters, campaigns);
  await store.counters.sumUp(new AbortController().signal);
  const keys = await SealKeyFile.open(join(bench.dir, 'keys'));
  const sealed = createSealedLinks(keys.keys, () => [DOMAIN]);
  const issued = (store.issuer ?? sealed.issuer).issue({
    messageId: `${campaigns - 1}-1`.padStart(16, 'M'),
    injectionTime: Math.floor((Date.now() - 365 * DAY_MS) / 1000),
    expires: Math.floor((Date.now() + DAY_MS) / 1000),
    domain: DOMAIN,
    recipients: ['someone@d1.example'],
  });
  const link = { target: 'https://shop.example/', part: 'html', name: 'Link 1' } as const;
  const token = issued.token(link);
  await issued.commit();
  await store.close();
  if (typeof token !== 'string') throw new Error('the link was not tracked');
  return token;
}

/**
 * Starts the page alone, and measures its first view, the CPU of that, which other programs slow
 * down less, and the least of later views, in milliseconds.
 */
async function timesOf(bench: Bench, name: string, settings: string, path: string) {
  const page = await listening(bench, `${name}-page`, (socket) => [
    process.execPath,
    bench.cli,
    '--config',
    confOf(bench, name, settings, socket),
    'run',
    '--role',
    'web',
  ]);
  const cpuBefore = page.process.cpu();
  const first = await timeOf(page.socket, path);
  const cpu = (page.process.cpu() - cpuBefore) / 1000;
  const later: number[] = [];
  while (later.length < LATER) later.push(await timeOf(page.socket, path));
  await page.process.peer.stop();
  return { first, cpu, later: Math.min(...later) };
}

function confOf(bench: Bench, name: string, settings: string, socket: string): string {
  const file = join(bench.dir, `${name}-page.conf`);
  const page = `ESMTP_Listener { tracking_domain = "${DOMAIN}" }\nWeb_Listener { Listen "${socket}" { } }`;
  writeFileSync(file, `state_directory = "${bench.dir}"\n${settings}\n${page}\n`);
  return file;
}

function timeOf(socketPath: string, path: string): Promise<number> {
  const begun = performance.now();
  const headers = { host: 'localhost', accept: 'text/html' };
  return new Promise((resolve, reject) => {
    get({ socketPath, path, headers }, (answer) => {
      if (answer.statusCode !== 200) reject(new Error(`${path}: status ${answer.statusCode}`));
      answer.resume().on('end', () => resolve(performance.now() - begun));
    }).on('error', reject);
  });
}

const journalOf = (bench: Bench, name: string) => join(bench.dir, `${name}.events`);

function localStore(journal: string): Store {
  const events = {
    ...eventsDefaults,
    journal,
    blockList: `${journal}.blocks`,
    optOuts: `${journal}.optouts`,
  };
  return createLocalStore({ events }, silent, noMetrics);
}
