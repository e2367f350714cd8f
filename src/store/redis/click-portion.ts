import { getOrMake } from '../../lib/values.ts';
import type { BookedClicks, ClickSum } from '../booked-clicks.ts';
import { clickLine, parseCountLine } from '../local/count-file.ts';
import { shortDigest } from './keys.ts';

/** Clicks on one link of a message. */
export interface ClickedLink extends ClickSum {
  readonly digest: string;
}

/** A message, and its links that were clicked. */
export type ClickedMessage = readonly [messageId: string, links: readonly ClickedLink[]];

const LINE = /^(?<digest>[\w-]{12}) (?<day>\d{4}-\d\d-\d\d) /;

/**
 * Clicks that are counted together. As a text, it has a line for each link: its digest, the day,
 * and the line that counts it in files.
 */
export interface ClickPortion {
  readonly messages: readonly ClickedMessage[];
  /** Lines of the text that cannot be read. */
  readonly unreadable: number;
}

/** @returns the portion and its text; undefined where nothing was booked */
export function takePortion(
  booked: BookedClicks,
): { readonly text: string; readonly portion: ClickPortion } | undefined {
  const links = booked.take().map((sum) => ({ ...sum, digest: shortDigest(sum.link) }));
  if (links.length === 0) return undefined;
  const lines = links.map((link) => `${link.digest} ${link.counted.day} ${clickLine(link)}`);
  const portion = { messages: byMessage(links), unreadable: 0 };
  return { text: lines.join('\n'), portion };
}

export function parsePortion(text: string): ClickPortion {
  const lines = text.split('\n');
  const links = lines.flatMap((line) => parseLine(line) ?? []);
  return { messages: byMessage(links), unreadable: lines.length - links.length };
}

function parseLine(text: string): ClickedLink | undefined {
  const { 0: start = '', groups: { digest = '', day = '' } = {} } = LINE.exec(text) ?? {};
  const line = start === '' ? undefined : parseCountLine(text.slice(start.length), day);
  return line && 'clicked' in line ? { ...line.clicked, digest } : undefined;
}

function byMessage(links: readonly ClickedLink[]): readonly ClickedMessage[] {
  const messages = new Map<string, ClickedLink[]>();
  for (const link of links) getOrMake(messages, link.messageId, () => []).push(link);
  return [...messages];
}
