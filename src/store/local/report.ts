import { hash } from 'node:crypto';
import { codeOf } from '../../lib/files.ts';
import { type Logger, silent } from '../../lib/logger.ts';
import { countedText, type Numbers, ReportSum } from '../counting.ts';
import type { CountersReader, Report, ReportBy, ReportQuery } from '../store.ts';
import { type ClickLine, listCountFiles, readCountFile, type SentLine } from './count-file.ts';

/**
 * Messages and links whose first click is remembered, in some 200 MB; first clicks on others are
 * not counted as such.
 */
const MAX_FOLLOWED = 4_000_000;

/**
 * Reports what FileCounters counted. Raw and unique clicks belong to the day of the first click
 * that is kept.
 */
export class FileReport implements CountersReader {
  readonly #folder: string;
  readonly #logger: Logger;

  constructor(folder: string, logger: Logger = silent) {
    this.#folder = folder;
    this.#logger = logger;
  }

  async report(query: ReportQuery): Promise<Report> {
    const sum = new ReportSum(query);
    await this.addTo(sum);
    return sum.report();
  }

  async addTo(sum: ReportSum): Promise<void> {
    const { by, since = '', until = '9999' } = sum.query;
    /** Messages and links that have been clicked, by digest. */
    const followed = new Set<number>();
    for (const { day, path } of await listCountFiles(this.#folder)) {
      if (day > until) break;
      for await (const line of this.#linesOf(path)) {
        if (line === undefined) {
          sum.unreadable++;
          continue;
        }
        const { campaign, key } = placeOf(line, by);
        if (!sum.includes(campaign)) continue;
        if (by === 'link' && line[0] === 'sent') continue;
        const counts = countsOf(line, followed);
        // Lines of earlier days decide which clicks are the first.
        if (day >= since) sum.add(day, campaign, key, counts);
      }
    }
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

/** Where a line counts: its key is the link in a report by link, else the pathway. */
function placeOf(line: SentLine | ClickLine, by: ReportBy): { campaign: string; key: string } {
  if (line[0] === 'sent') return { campaign: line[1], key: line[2] };
  return { campaign: line[2], key: by === 'link' ? line[4] : line[3] };
}

function countsOf(line: SentLine | ClickLine, followed: Set<number>): Partial<Numbers> {
  if (line[0] === 'sent') return { messages: line[3], links: line[4] };
  const [, messageId, , , link, clicks] = line;
  return {
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
