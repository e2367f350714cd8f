import { hash } from 'node:crypto';
import { codeOf } from '../../lib/files.ts';
import { type Logger, silent } from '../../lib/logger.ts';
import { countedText, MAX_ROWS, OTHER_KEY } from '../counting.ts';
import type { CountersReader, Report, ReportBy, ReportQuery, ReportRow } from '../store.ts';
import { type ClickLine, listCountFiles, readCountFile, type SentLine } from './count-file.ts';

interface Counts {
  messages: number;
  links: number;
  clicks: number;
  rawClicks: number;
  uniqueClicks: number;
}

/** Messages and links whose first click is remembered, in some 200 MB; first clicks on others are not counted as such. */
const MAX_FOLLOWED = 4_000_000;

const NONE: Counts = { messages: 0, links: 0, clicks: 0, rawClicks: 0, uniqueClicks: 0 };

/** Reports what FileCounters counted. Raw and unique clicks belong to the day of the first click that is kept. */
export class FileReport implements CountersReader {
  readonly #folder: string;
  readonly #logger: Logger;

  constructor(folder: string, logger: Logger = silent) {
    this.#folder = folder;
    this.#logger = logger;
  }

  async report(query: ReportQuery): Promise<Report> {
    const { by, campaign, since = '', until = '9999' } = query;
    const groups = new Map<string, Counts>();
    const total = { ...NONE };
    let unreadable = 0;
    /** Messages and links that have been clicked, by digest. */
    const followed = new Set<number>();
    for (const { day, path } of await listCountFiles(this.#folder)) {
      if (day > until) break;
      for await (const line of this.#linesOf(path)) {
        if (line === undefined) {
          unreadable++;
          continue;
        }
        if (campaign !== undefined && campaignOf(line) !== campaign) continue;
        if (by === 'link' && line[0] === 'sent') continue;
        const counts = countsOf(line, followed);
        // Lines of earlier days decide which clicks are the first.
        if (day < since) continue;
        const name = keyOf(by, day, line);
        const key = groups.has(name) || groups.size < MAX_ROWS ? name : OTHER_KEY;
        const group = groups.get(key) ?? { ...NONE };
        groups.set(key, group);
        add(group, counts);
        add(total, counts);
      }
    }
    const rows = [...groups].map(([key, counts]) => rowOf(key, counts, by));
    rows.sort((a, b) => (a.key < b.key ? -1 : 1));
    return {
      rows,
      total: { ...rowOf('', total, by), uniqueClicks: total.uniqueClicks },
      unreadable,
    };
  }

  async clicksOf(messageId: string, link: string): Promise<number> {
    const counted = countedText(link);
    let clicks = 0;
    for (const { path } of await listCountFiles(this.#folder)) {
      for await (const line of this.#linesOf(path)) {
        if (line?.[0] === 'click' && line[1] === messageId && line[4] === counted) {
          clicks += line[5];
        }
      }
    }
    return clicks;
  }

  async *#linesOf(path: string): AsyncGenerator<SentLine | ClickLine | undefined> {
    try {
      yield* readCountFile(path);
    } catch (error) {
      // The oldest files are removed at any time.
      if (codeOf(error) === 'ENOENT') return;
      this.#logger.warn({ path, reason: (error as Error).message }, 'counts of a file left out');
    }
  }
}

function campaignOf(line: SentLine | ClickLine): string {
  return line[0] === 'sent' ? line[1] : line[2];
}

function keyOf(by: ReportBy, day: string, line: SentLine | ClickLine): string {
  if (by === 'day') return day;
  if (by === 'campaign') return campaignOf(line);
  if (line[0] === 'sent') return line[2];
  return by === 'pathway' ? line[3] : line[4];
}

function countsOf(line: SentLine | ClickLine, followed: Set<number>): Counts {
  if (line[0] === 'sent') return { ...NONE, messages: line[3], links: line[4] };
  const [, messageId, , , link, clicks] = line;
  return {
    ...NONE,
    clicks,
    rawClicks: isFirst(followed, `${messageId} ${link}`) ? 1 : 0,
    uniqueClicks: isFirst(followed, messageId) ? 1 : 0,
  };
}

function isFirst(seen: Set<number>, key: string): boolean {
  const id = hash('sha256', key, 'buffer').readUIntBE(0, 6);
  if (seen.has(id) || seen.size >= MAX_FOLLOWED) return false;
  seen.add(id);
  return true;
}

function add(to: Counts, { messages, links, clicks, rawClicks, uniqueClicks }: Counts): void {
  to.messages += messages;
  to.links += links;
  to.clicks += clicks;
  to.rawClicks += rawClicks;
  to.uniqueClicks += uniqueClicks;
}

/** A report by link says nothing about messages: each of them has many links. */
function rowOf(key: string, counts: Counts, by: ReportBy): ReportRow {
  const { messages, links, clicks, rawClicks, uniqueClicks } = counts;
  return {
    key,
    ...(by !== 'link' && { messages, links }),
    clicks,
    rawClicks,
    uniqueClicks: by === 'link' ? rawClicks : uniqueClicks,
  };
}
