import { hash } from 'node:crypto';
import { codeOf } from '../../lib/service-files.ts';
import {
  type CountersReader,
  countedText,
  MAX_ROWS,
  OTHER_KEY,
  type Report,
  type ReportBy,
  type ReportQuery,
  type ReportRow,
} from '../counters.ts';
import { type ClickLine, listCountFiles, readCountFile, type SentLine } from './count-file.ts';

interface Counts {
  messages: number;
  links: number;
  clicks: number;
  rawClicks: number;
  uniqueClicks: number;
}

/** Messages and links whose first click is remembered: some 200 MB. First clicks on others are not counted as such. */
const MAX_FOLLOWED = 4_000_000;

const NONE: Counts = { messages: 0, links: 0, clicks: 0, rawClicks: 0, uniqueClicks: 0 };

/** Reports from what FileCounters wrote. Raw and unique clicks belong to the day of the first click that is kept. */
export class FileReport implements CountersReader {
  readonly #folder: string;
  readonly #onProblem: (message: string) => void;

  /** @param onProblem told of each file that cannot be read and is left out */
  constructor(folder: string, onProblem: (message: string) => void = () => {}) {
    this.#folder = folder;
    this.#onProblem = onProblem;
  }

  async report(query: ReportQuery): Promise<Report> {
    const { by, campaign, since = '', until = '9999' } = query;
    const groups = new Map<string, Counts>();
    const total = { ...NONE };
    let unreadable = 0;
    /** Messages, and links of messages, of which a click has been seen. */
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
        // What was followed before is no first click now.
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

  /** How often a link of a message was followed. @param link its name, else its target */
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
      // The oldest are removed at any moment.
      if (codeOf(error) === 'ENOENT') return;
      this.#onProblem(`${path} is left out: ${(error as Error).message}`);
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

/** By link there is nothing to say about messages: each of them has many. */
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
