import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { CountedClick } from '../link/counters.ts';

/** Messages sent, added up: campaign, pathway, how many, and how many links they have. */
export type SentLine = readonly ['sent', string, string, number, number];

/** Clicks of one message on one link, added up: message id, campaign, pathway, link, how many. */
export type ClickLine = readonly ['click', string, string, string, string, number];

/** Counts of one UTC day by one process. The name is `counts-DAY.HOST.PID.jsonl`; empty strings stand for "none". */
export interface CountFile {
  readonly day: string;
  readonly path: string;
}

const NAME = /^counts-(\d{4}-\d\d-\d\d)\.[\w-]+\.\d+\.jsonl$/;
/** Links come from outside: what a line holds of them has a limit. */
const MAX_LINK = 300;

export function countFileName(day: string, host: string): string {
  return `counts-${day}.${host}.${process.pid}.jsonl`;
}

/** The files in a folder, oldest day first. */
export async function listCountFiles(folder: string): Promise<CountFile[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.sort().flatMap((name) => {
    const day = NAME.exec(name)?.[1];
    return day === undefined ? [] : { day, path: join(folder, name) };
  });
}

/** A link as it is counted. */
export function countedLink(link: string): string {
  return link.slice(0, MAX_LINK);
}

export function clickLine(click: CountedClick): ClickLine {
  const { messageId, campaign = '', pathway = '', count } = click;
  return ['click', messageId, campaign, pathway, countedLink(click.link), count];
}

/** The lines of one file; what is no such line, as after a crash, is passed over. */
export async function* readCountFile(path: string): AsyncGenerator<SentLine | ClickLine> {
  const input = createReadStream(path, 'utf8');
  for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    const line = parse(text);
    if (line) yield line;
  }
}

function parse(text: string): SentLine | ClickLine | undefined {
  try {
    const line = JSON.parse(text) as SentLine | ClickLine;
    if (line[0] === 'sent' && line.length === 5) return line;
    if (line[0] === 'click' && line.length === 6) return line;
  } catch {
    // Half a line.
  }
  return undefined;
}
