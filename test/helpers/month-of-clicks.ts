import type { CountedFacts } from '../../src/link/counted.ts';
import type { Counters } from '../../src/store/counters.ts';
import { settle } from './settle.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** A campaign of the month: each is sent within two hours of one morning, or a few messages each day. */
interface Campaign {
  readonly name?: string;
  readonly pathway: string;
  readonly tags: readonly string[];
  /** Days ago; absent for mail of every day. */
  readonly sent?: number;
  readonly messages: number;
  /** The share of messages of which people click a link. */
  readonly rate: number;
  /** Links by their place, the most clicked first; an address is a link without a name. */
  readonly links: readonly string[];
}

const news = { pathway: 'newsletter', tags: ['customers', 'monthly'] };
const digest = { pathway: 'newsletter', tags: ['digest'] };
const SHOP = 'https://shop.example';
const DIGEST_LINKS = ['Read on', 'Interview', 'Events near you', `${SHOP}/archive`, 'Settings'];

/** Names that try to be more than names. */
export const HOSTILE = {
  markup: `<script>alert("campaign")</script><img src=x onerror=alert(1)> & 'quotes'`,
  word: `Unbreakable-${'0123456789'.repeat(18)}`,
  turned: 'Invoice \u202egnp.exe\u202c \u0000\u001b[31m',
} as const;

/** The campaign that the views of one campaign show, and when it was sent. */
export const AUTUMN = 'Autumn collection';
export const SENT_DAYS_AGO = 11;

const CAMPAIGNS: readonly Campaign[] = [
  {
    name: AUTUMN,
    ...news,
    sent: SENT_DAYS_AGO,
    messages: 900,
    rate: 0.17,
    links: ['Shop now', 'Coats', 'Boots', 'Gift guide', `${SHOP}/scarves?ref=autumn`, 'Imprint'],
  },
  {
    name: 'Spring preview',
    ...news,
    sent: 41,
    messages: 640,
    rate: 0.12,
    links: ['Shop now', 'Imprint'],
  },
  { name: 'Weekly digest 1', ...digest, sent: 27, messages: 420, rate: 0.11, links: DIGEST_LINKS },
  { name: 'Weekly digest 2', ...digest, sent: 20, messages: 430, rate: 0.14, links: DIGEST_LINKS },
  { name: 'Weekly digest 3', ...digest, sent: 13, messages: 445, rate: 0.09, links: DIGEST_LINKS },
  { name: 'Weekly digest 4', ...digest, sent: 6, messages: 460, rate: 0.13, links: DIGEST_LINKS },
  {
    name: 'Order confirmations',
    pathway: 'transactional',
    tags: ['orders'],
    messages: 14,
    rate: 0.38,
    links: ['Track your parcel', 'Invoice', 'Help'],
  },
  { pathway: 'transactional', tags: [], messages: 3, rate: 0.2, links: [`${SHOP}/account`] },
  {
    name: HOSTILE.markup,
    pathway: HOSTILE.markup,
    tags: [HOSTILE.markup],
    sent: 9,
    messages: 60,
    rate: 0.2,
    links: [HOSTILE.markup, HOSTILE.word, 'https://evil.example/?"><script>alert(2)</script>'],
  },
  { name: HOSTILE.word, ...news, sent: 5, messages: 40, rate: 0.3, links: [HOSTILE.turned] },
  { name: HOSTILE.turned, ...news, sent: 3, messages: 40, rate: 0.3, links: ['Shop now'] },
];

/** Recipients' domains with the share of all recipients, and whether a scanner follows every link first. */
const DOMAINS = [
  ['mail.example', 0.44, false],
  ['post.example', 0.24, false],
  ['corp.example', 0.17, true],
  ['university.example', 0.1, false],
  ['town-hall.example', 0.05, true],
] as const;

/** Counts six weeks of a shop's mail up to now, the same whenever it is called within an hour. */
export async function countMonth(counters: Counters, now = Date.now()): Promise<void> {
  const chance = randomNumbers(42);
  const today = Math.floor(now / DAY_MS) * DAY_MS;
  let serial = 0;
  for (const campaign of CAMPAIGNS) {
    const days = campaign.sent === undefined ? range(45) : [campaign.sent];
    for (const ago of days) {
      for (const _ of range(campaign.messages)) {
        const within = campaign.sent === undefined ? 8 + 12 * chance() : 7 + 2 * chance() ** 2;
        const time = today - ago * DAY_MS + within * HOUR_MS;
        if (time < now) countMessage(counters, campaign, { time, now, serial: serial++, chance });
      }
    }
    await settle(counters);
  }
}

interface Circumstances {
  readonly time: number;
  readonly now: number;
  readonly serial: number;
  readonly chance: () => number;
}

/** Counts a message and the clicks on it: a scanner's within a minute, people's in hours to days. */
function countMessage(
  counters: Counters,
  { name, pathway, tags, rate, links }: Campaign,
  { time, now, serial, chance }: Circumstances,
): void {
  const [recipientDomain, , isScanned] = domainOf(chance());
  const facts: CountedFacts = { campaign: name, pathway, tags, recipientDomain };
  counters.sent({ ...facts, time, links: 2 * links.length });
  const messageId = `${serial}`.padStart(16, 'M');
  const click = (
    place: number,
    after: number,
    by: 'people' | 'automatic',
    part: 'html' | 'text',
  ) => {
    const position = place + (part === 'text' ? links.length : 0);
    const at = { messageId, link: links[place] ?? '', part, position, count: 1 };
    if (time + after < now) counters.book({ ...facts, ...at, time: time + after }, by);
  };
  if (isScanned && chance() < 0.12) {
    for (const place of links.keys()) click(place, 5_000 + 40_000 * chance(), 'automatic', 'html');
  }
  if (chance() >= rate) return;
  // Half of all people who click do so within three hours.
  const first = 3 * HOUR_MS * Math.exp(2.8 * (chance() + chance() + chance() + chance() - 2));
  const part = chance() < 0.07 ? 'text' : 'html';
  for (const more of range(1 + Math.floor(2.2 * chance() ** 2))) {
    click(Math.floor(links.length * chance() ** 2), first + more * 40_000, 'people', part);
  }
}

function domainOf(chance: number): (typeof DOMAINS)[number] {
  let left = chance;
  for (const domain of DOMAINS) {
    left -= domain[1];
    if (left < 0) return domain;
  }
  return DOMAINS[0];
}

const range = (length: number) => Array.from({ length }, (_, n) => n);

/** Numbers from 0 to 1 that are the same each time (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
