import type { CountedFacts } from '../link/counted.ts';
import type { ClickClass, CountedClick } from './counters.ts';

/**
 * The numbers of a row: messages and links sent; clicks, links clicked and messages clicked, of all
 * and of people; automatic clicks. Stored rows hold them in this order: a new one goes to the end.
 */
export const METRICS = [
  'messages',
  'links',
  'clicks',
  'rawClicks',
  'uniqueClicks',
  'peopleClicks',
  'peopleRawClicks',
  'peopleUniqueClicks',
  'automaticClicks',
] as const;
export type Metric = (typeof METRICS)[number];
export type Numbers = Record<Metric, number>;

/** Stands for campaigns, links and others that are not counted one by one. */
export const OTHER_KEY = '(other)';
/** Stands for what was counted without this breakdown: by an earlier release. */
export const UNKNOWN_KEY = '(unknown)';

/** Characters of a campaign, link or other key that are counted: they come from outside. */
const MAX_TEXT = 300;

/**
 * A campaign, link or other key as it is counted, which is a text that a form can send back. The
 * names that stand for several are in quotes where a sender gave them.
 */
export function countedText(text: string): string {
  // A copy: a piece of a string keeps the whole string in memory.
  const cut = text.length <= MAX_TEXT ? text : Buffer.from(text.slice(0, MAX_TEXT)).toString();
  if (cut === OTHER_KEY || cut === UNKNOWN_KEY) return `"${cut}"`;
  return cut.replace(/[\p{Cc}\p{Cs}]/gu, '\ufffd');
}

const NO_TAGS: readonly string[] = [];

/** The facts of a message with each text as it is counted; empty where there is none. */
export function countedKeys({ campaign, pathway, tags, recipientDomain }: CountedFacts) {
  return {
    campaign: countedText(campaign ?? ''),
    pathway: countedText(pathway ?? ''),
    tags: tags === undefined ? NO_TAGS : tags.map(countedText),
    recipientDomain: countedText(recipientDomain ?? ''),
  };
}

/** Clicks of each class. */
export interface ByClass extends Readonly<Record<ClickClass, number>> {
  /** Clicks that an earlier release counted, which did not tell the classes apart. */
  readonly unknown?: number;
}

export function byClass({ count }: CountedClick, by: ClickClass): ByClass {
  return { people: 0, automatic: 0, [by]: count };
}

export function addClasses(one: ByClass, other: ByClass): ByClass {
  return { people: one.people + other.people, automatic: one.automatic + other.automatic };
}

export function allOf({ people, automatic, unknown = 0 }: ByClass): number {
  return people + automatic + unknown;
}

/** Which clicks were the first on their link or their message, of all clicks and of people's. */
export interface Firsts {
  readonly link: boolean;
  readonly message: boolean;
  readonly linkOfPeople: boolean;
  readonly messageOfPeople: boolean;
}

/** @param firsts absent where they are not known */
export function clickNumbers(clicks: ByClass, firsts?: Firsts): Partial<Numbers> {
  const { people, automatic } = clicks;
  return {
    clicks: allOf(clicks),
    peopleClicks: people,
    automaticClicks: automatic,
    ...(firsts && {
      rawClicks: Number(firsts.link),
      uniqueClicks: Number(firsts.message),
      peopleRawClicks: Number(firsts.linkOfPeople),
      peopleUniqueClicks: Number(firsts.messageOfPeople),
    }),
  };
}

/** Reads a number of clicks or messages as it is stored. @returns undefined for anything else */
export function countOf(value: unknown): number | undefined {
  const count = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : undefined;
}

export function noNumbers(): Numbers {
  return {
    messages: 0,
    links: 0,
    clicks: 0,
    rawClicks: 0,
    uniqueClicks: 0,
    peopleClicks: 0,
    peopleRawClicks: 0,
    peopleUniqueClicks: 0,
    automaticClicks: 0,
  };
}

/** Every click is added to some twenty rows: a loop over METRICS would take four times as long. */
export function addNumbers(sum: Numbers, more: Partial<Numbers>): void {
  sum.messages += more.messages ?? 0;
  sum.links += more.links ?? 0;
  sum.clicks += more.clicks ?? 0;
  sum.rawClicks += more.rawClicks ?? 0;
  sum.uniqueClicks += more.uniqueClicks ?? 0;
  sum.peopleClicks += more.peopleClicks ?? 0;
  sum.peopleRawClicks += more.peopleRawClicks ?? 0;
  sum.peopleUniqueClicks += more.peopleUniqueClicks ?? 0;
  sum.automaticClicks += more.automaticClicks ?? 0;
}

/** Writes numbers in the order of METRICS with commas between them, without the zeros at the end. */
export function formatNumbers(numbers: Numbers): string {
  return METRICS.map((metric) => numbers[metric])
    .join(',')
    .replace(/(,0)+$/, '');
}

/** @returns undefined for a text that formatNumbers did not make, here or in a later release */
export function parseNumbers(text: string): Numbers | undefined {
  if (!/^\d{1,15}(,\d{1,15}){0,20}$/.test(text)) return undefined;
  const values = text.split(',');
  const numbers = noNumbers();
  let at = 0;
  for (const metric of METRICS) numbers[metric] = Number(values[at++] ?? 0);
  return numbers;
}
