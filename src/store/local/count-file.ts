import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { noneIfGone } from '../../lib/files.ts';
import { parseJson } from '../../lib/values.ts';
import { countedText, countOf } from '../counting.ts';
import type { CountedClick } from '../store.ts';
import { portionsOf } from './line-reader.ts';

/** Messages sent, added up: campaign, pathway, number of messages, number of links. */
export type SentLine = readonly ['sent', string, string, number, number];

/**
 * Clicks on one link of one message, added up: message id, campaign, pathway, link, number of
 * clicks.
 */
export type ClickLine = readonly ['click', string, string, string, string, number];

/**
 * A file `counts-DAY.HOST.PID.jsonl`: counts of one UTC day by one process. Empty strings stand for
 * "none".
 */
export interface CountFile {
  readonly day: string;
  readonly path: string;
}

const NAME = /^counts-(\d{4}-\d\d-\d\d)\.[\w-]+\.\d+\.jsonl$/;
/** The types of the members of a line after the first. */
const SHAPES = {
  sent: 'text text count count',
  click: 'text text text text count',
} as const;

export function countFileName(day: string, host: string): string {
  return `counts-${day}.${host}.${process.pid}.jsonl`;
}

/** Lists the files in a folder, oldest day first. */
export async function listCountFiles(folder: string): Promise<CountFile[]> {
  const names: string[] = await readdir(folder).catch(noneIfGone);
  return names.sort().flatMap((name) => {
    const day = NAME.exec(name)?.[1];
    return day === undefined ? [] : { day, path: join(folder, name) };
  });
}

export function clickLine(click: CountedClick): ClickLine {
  const { messageId, campaign = '', pathway = '', link, count } = click;
  return [
    'click',
    messageId,
    countedText(campaign),
    countedText(pathway),
    countedText(link),
    count,
  ];
}

/** Reads the lines of a file; undefined stands for a line that cannot be read, as after a crash. */
export async function* readCountFile(
  path: string,
): AsyncGenerator<SentLine | ClickLine | undefined> {
  const handle = await open(path);
  try {
    for await (const lines of portionsOf(handle)) {
      for (const { text } of lines) yield parseCountLine(text);
    }
  } finally {
    await handle.close();
  }
}

/** @returns undefined for a line that FileCounters did not write */
export function parseCountLine(text: string): SentLine | ClickLine | undefined {
  const line = parseJson(text);
  if (!Array.isArray(line)) return undefined;
  const [kind, ...parts] = line as unknown[];
  const shape = kind === 'sent' || kind === 'click' ? SHAPES[kind] : undefined;
  return parts.map(typeOf).join(' ') === shape
    ? (line as unknown as SentLine | ClickLine)
    : undefined;
}

function typeOf(part: unknown): string {
  if (typeof part === 'string') return 'text';
  return typeof part === 'number' && countOf(part) !== undefined ? 'count' : 'other';
}
