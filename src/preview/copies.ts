import { hash, randomUUID } from 'node:crypto';
import { inBackground } from '../lib/background.ts';
import { BoundedCache } from '../lib/bounded-cache.ts';
import { HOUR_MS } from '../lib/days.ts';
import type { PreviewLink } from './skeleton.ts';

/** A copy of a newsletter that was sent. */
export interface NewsletterCopy {
  readonly campaign: string;
  readonly recipients: readonly string[];
  /** Days for which the skeleton is kept. */
  readonly days: number;
  /** How many links it has. Copies of one newsletter mostly have as many. */
  readonly links: number;
  /**
   * Its HTML part with every href replaced. It is asked for later, and only if it is used.
   * @param hrefOf makes the new href of a tracked link, and of any other
   */
  html(hrefOf: (link: PreviewLink | undefined) => string): string | undefined;
}

/** Takes copies of newsletters. It never makes mail wait. */
export interface CopySink {
  offer(copy: NewsletterCopy): void;
}

/** Keeps what copies have in common. */
export interface SkeletonStore {
  add(campaign: string, skeleton: string, days: number): Promise<void>;
}

/** The time after a message before its copy is read: its answer has left by then. */
const DELAY_MS = 50;
/** The time between two copies that are read; each takes some 20 ms. */
const PAUSE_MS = 500;
/** Copies that are read before a newsletter is known. */
const COPIES = 6;
/** The time between two copies of a known newsletter: a later one may differ where none did. */
const SAMPLE_MS = 60_000;
/** How often a version is written that did not change, so that it does not expire. */
const WRITE_AGAIN_MS = HOUR_MS;
/** Newsletters in memory; each takes up to half a megabyte. */
const MAX_NEWSLETTERS = 16;
const MAX_MAILINGS = 1000;
/** Recipients that are remembered of a newsletter. */
const MAX_REMEMBERED = 100;
/** Copies of messages to more recipients are not read. */
const MAX_RECIPIENTS = 20;

/** What the copies of one structure have in common so far. */
interface Newsletter {
  skeleton: string;
  /** Digests of the recipients of its copies; of some of them where there are many. */
  readonly recipients: Set<string>;
  /** What the store has, and since when, by performance.now. */
  kept?: { readonly skeleton: string; readonly at: number };
}

/** Mail of one campaign with as many links. */
interface Mailing {
  /** Copies that were read. */
  looks: number;
  /** When the next copy is read, by performance.now. */
  next: number;
}

/**
 * Learns skeletons from the copies that this process sends. One copy at a time is read, after
 * the MTA has its answer, and a few per second; the others pass. The first copy stays in memory:
 * the store gets what two copies to different recipients have in common.
 */
export class Copies implements CopySink {
  readonly #store: SkeletonStore;
  readonly #newsletters = new BoundedCache<string, Newsletter>(MAX_NEWSLETTERS);
  readonly #mailings = new BoundedCache<string, Mailing>(MAX_MAILINGS);
  /** No digest leads to an address without it. */
  readonly #secret = randomUUID();
  #isBusy = false;

  constructor(store: SkeletonStore) {
    this.#store = store;
  }

  offer(copy: NewsletterCopy): void {
    if (this.#isBusy || copy.recipients.length > MAX_RECIPIENTS) return;
    const name = `${copy.links} ${copy.campaign}`;
    const mailing = this.#mailings.getOrMake(name, () => ({ looks: 0, next: 0 }));
    if (mailing.next > performance.now()) return;
    mailing.next = ++mailing.looks < COPIES ? 0 : performance.now() + SAMPLE_MS;
    this.#isBusy = true;
    setTimeout(() => inBackground('keep a preview', () => this.#learn(copy)), DELAY_MS).unref();
  }

  async #learn(copy: NewsletterCopy): Promise<void> {
    try {
      await this.#look(copy);
    } finally {
      setTimeout(() => {
        this.#isBusy = false;
      }, PAUSE_MS).unref();
    }
  }

  async #look(copy: NewsletterCopy): Promise<void> {
    const { merge, structureId, makeSkeleton } = await library();
    const skeleton = skeletonOf(copy, makeSkeleton);
    if (skeleton === undefined) return;
    const { campaign, days } = copy;
    const recipients = copy.recipients.map((address) => this.#digest(address));
    const id = `${structureId(skeleton)} ${campaign}`;
    const known = this.#newsletters.get(id);
    if (known === undefined) {
      this.#newsletters.set(id, { skeleton, recipients: new Set(recipients) });
      return;
    }
    // The same text twice for one recipient may be that recipient's own.
    if (recipients.some((recipient) => known.recipients.has(recipient))) return;
    if (known.recipients.size < MAX_REMEMBERED)
      for (const one of recipients) known.recipients.add(one);
    known.skeleton = merge(known.skeleton, skeleton) ?? known.skeleton;
    const { kept } = known;
    const isKept = kept !== undefined && performance.now() - kept.at < WRITE_AGAIN_MS;
    if (isKept && kept.skeleton === known.skeleton) return;
    await this.#store.add(campaign, known.skeleton, days);
    known.kept = { skeleton: known.skeleton, at: performance.now() };
  }

  #digest(address: string): string {
    return hash('sha256', `${this.#secret} ${address.toLowerCase()}`, 'base64url').slice(0, 16);
  }
}

function skeletonOf(
  copy: NewsletterCopy,
  makeSkeleton: Awaited<ReturnType<typeof library>>['makeSkeleton'],
): string | undefined {
  const links: PreviewLink[] = [];
  // No href of a sender begins so.
  const secret = `${randomUUID()}-`;
  const html = copy.html((link) => (link === undefined ? '' : secret + (links.push(link) - 1)));
  if (html === undefined) return undefined;
  return makeSkeleton(html, (href) =>
    href.startsWith(secret) ? links[Number(href.slice(secret.length))] : undefined,
  );
}

/** Loaded only where it is used: the sanitiser takes a while. */
async function library() {
  const [skeleton, versions, runs] = await Promise.all([
    import('./skeleton.ts'),
    import('./versions.ts'),
    import('./text-runs.ts'),
  ]);
  return { ...skeleton, ...versions, ...runs };
}
