import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { entriesIn } from '../../lib/files.ts';
import { Turns } from '../../lib/turns.ts';
import { parseJson } from '../../lib/values.ts';
import type { ClickSum } from '../booked-clicks.ts';
import { countOf, UNKNOWN_KEY } from '../counting.ts';
import type { SentSum } from '../sent-sums.ts';
import type { Counted } from '../tallies.ts';
import { isErasedLine, portionsOf } from './line-reader.ts';

/**
 * A file `counts-DAY.HOST.PID.jsonl`: counts of one UTC day by one process. HOST ends in `-clicks` in
 * a file of clicks.
 */
export interface CountFile {
  readonly day: string;
  readonly name: string;
  readonly path: string;
}

export interface SizedCountFile extends CountFile {
  readonly size: number;
}

/** What a line counts. */
export type CountLine = { readonly sent: SentSum } | { readonly clicked: ClickSum };

const NAME = /^counts-(\d{4}-\d\d-\d\d)\.[\w-]+\.\d+\.jsonl$/;
/**
 * The types of the members of a line after the first; empty strings stand for "none". Releases
 * before 0.2 wrote `sent` (campaign, pathway, messages, links) and `click` (message, campaign,
 * pathway, link, clicks).
 */
const SHAPES = {
  sent: 'text text count count',
  click: 'text text text text count',
  /** Hour of the day, campaign, pathway, recipients' domain, tags, messages, links. */
  sent2: 'text text text text texts count count',
  /**
   * Hour, message, campaign, pathway, domain, tags, part, place (0: not known), link, people's
   * clicks, automatic ones.
   */
  click2: 'text text text text text texts text count text count count',
} as const;

/** Lines that are parsed at once: in a millisecond or two. */
const PIECE = 100;
/** Sizes that are found at once, in less time. */
const PER_TURN = 50;

type OldSent = readonly [string, string, number, number];
type OldClick = readonly [string, string, string, string, number];
type Sent = readonly [string, string, string, string, readonly string[], number, number];
type Clicked = readonly [
  ...[string, string, string, string, string, readonly string[]],
  ...[string, number, string, number, number],
];

export function countFileName(day: string, host: string): string {
  return `counts-${day}.${host}.${process.pid}.jsonl`;
}

/** @returns undefined for the name of another file */
export function dayOfCountFile(name: string): string | undefined {
  return NAME.exec(name)?.[1];
}

/** The names of all files in the folder of counts, in their order: that of days. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  const names = await entriesIn(folder);
  return names.sort();
}

/**
 * Lists the files in a folder, oldest day first.
 * @param names of all files in it, where they are known
 */
export async function listCountFiles(
  folder: string,
  names?: readonly string[],
): Promise<CountFile[]> {
  return (names ?? (await namesIn(folder))).flatMap((name) => {
    const day = dayOfCountFile(name);
    return day === undefined ? [] : { day, name, path: `${folder}/${name}` };
  });
}

/**
 * Finds the sizes of files. One that is gone meanwhile has 0 bytes. No thread is asked, which takes
 * ten times as long for the many files of a year.
 */
export async function withSizes(files: readonly CountFile[]): Promise<SizedCountFile[]> {
  const turns = new Turns();
  const sized: SizedCountFile[] = [];
  for (const { day, name, path } of files) {
    sized.push({ day, name, path, size: sizeOf(path) });
    if (sized.length % PER_TURN === 0) await turns.next();
  }
  return sized;
}

function sizeOf(path: string): number {
  try {
    return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  } catch {
    return 0;
  }
}

export function sentLine(sum: SentSum): string {
  const { hour, campaign, pathway, recipientDomain, tags, messages, links } = sum;
  const facts = [hour.slice(-2), campaign, pathway, recipientDomain, tags];
  return JSON.stringify(['sent2', ...facts, messages, links]);
}

export function clickLine({ messageId, clicks, counted }: ClickSum): string {
  const { hour, campaign, pathway, recipientDomain, tags, link } = counted;
  const facts = [hour.slice(-2), messageId, campaign, pathway, recipientDomain, tags];
  const place = [link.part, (link.position ?? -1) + 1, link.label];
  return JSON.stringify(['click2', ...facts, ...place, clicks.people, clicks.automatic]);
}

/**
 * Reads the lines of a file from an offset on, some at a time, and where the next ones begin.
 * Undefined stands for a line that cannot be read, as after a crash.
 * @param about a message id: lines without it are left out, before they are parsed
 */
export async function* readCountFile(
  { path, day }: CountFile,
  from = 0,
  about = '',
): AsyncGenerator<{ lines: readonly (CountLine | undefined)[]; end: number }> {
  const handle = await open(path);
  try {
    for await (const portion of portionsOf(handle, from)) {
      const lines = portion.filter(({ text }) => text.includes(about) && !isErasedLine(text));
      for (let start = 0; start === 0 || start < lines.length; start += PIECE) {
        const piece = lines.slice(start, start + PIECE);
        const isLast = start + PIECE >= lines.length;
        yield {
          lines: piece.map(({ text }) => parseCountLine(text, day)),
          end: (isLast ? portion : piece).at(-1)?.end ?? from,
        };
      }
    }
  } finally {
    await handle.close();
  }
}

/** @returns undefined for a line that no release wrote */
export function parseCountLine(text: string, day: string): CountLine | undefined {
  const line = parseJson(text);
  if (!Array.isArray(line)) return undefined;
  const [kind, ...parts] = line as unknown[];
  if (typeof kind !== 'string' || !Object.hasOwn(SHAPES, kind)) return undefined;
  if (parts.map(typeOf).join(' ') !== SHAPES[kind as keyof typeof SHAPES]) return undefined;
  return READERS[kind as keyof typeof SHAPES](parts as never, day);
}

const READERS = {
  sent([campaign, pathway, messages, links]: OldSent, day: string): CountLine {
    return { sent: { ...oldFacts(day, campaign, pathway), messages, links } };
  },
  click([messageId, campaign, pathway, label, unknown]: OldClick, day: string): CountLine {
    const link = { label, part: UNKNOWN_KEY };
    return {
      clicked: {
        messageId,
        clicks: { people: 0, automatic: 0, unknown },
        counted: { ...oldFacts(day, campaign, pathway), link },
      },
    };
  },
  sent2([hour, campaign, pathway, recipientDomain, tags, messages, links]: Sent, day: string) {
    const counted = { day, hour: `${day}T${hour}`, campaign, pathway, recipientDomain, tags };
    return { sent: { ...counted, messages, links } };
  },
  click2(parts: Clicked, day: string): CountLine {
    const [hour, messageId, campaign, pathway, recipientDomain, tags, ...clicked] = parts;
    const [part, place, label, people, automatic] = clicked;
    const link = { label, part, ...(place > 0 && { position: place - 1 }) };
    const counted = { day, hour: `${day}T${hour}`, campaign, pathway, recipientDomain, tags, link };
    return { clicked: { messageId, clicks: { people, automatic }, counted } };
  },
} satisfies Record<keyof typeof SHAPES, (parts: never, day: string) => CountLine>;

function oldFacts(day: string, campaign: string, pathway: string): Counted {
  const unknown = { hour: UNKNOWN_KEY, recipientDomain: UNKNOWN_KEY, tags: [UNKNOWN_KEY] };
  return { day, campaign, pathway, ...unknown };
}

function typeOf(part: unknown): string {
  if (typeof part === 'string') return 'text';
  if (Array.isArray(part)) return part.every((one) => typeof one === 'string') ? 'texts' : 'other';
  return typeof part === 'number' && countOf(part) !== undefined ? 'count' : 'other';
}
