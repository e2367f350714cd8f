import type { TopPart } from './link.ts';

/** Limits beyond which a message, a part or a link is left alone. */
export interface ReadingLimits {
  /** Bytes of the body. */
  readonly bodySize: number;
  /** Bytes of the headers of one part. */
  readonly headerSize: number;
  /** MIME parts of the message. */
  readonly parts: number;
  /** Levels of nested multiparts. */
  readonly depth: number;
  /** Links of one part. */
  readonly links: number;
  /** Bytes that tracked links may add to a message, in multiples of its top parts. */
  readonly growth: number;
  /** Characters of an HTML part that is searched for `excludeSelectors`. */
  readonly selectorHtmlSize: number;
  /** Levels of nested elements in an HTML part that is searched for `excludeSelectors`. */
  readonly selectorHtmlDepth: number;
}

/** How a message is read. */
export interface ReadingOptions {
  readonly limits: ReadingLimits;
  /**
   * Whether messages with a DKIM, ARC or DomainKeys signature are rewritten, which breaks the
   * signature.
   */
  readonly rewriteSigned: boolean;
  /**
   * The top parts that are rewritten. The other one stays unchanged; links that are opted out in it
   * are opted out in both.
   */
  readonly clickTrackingParts: 'both' | TopPart;
  /**
   * CSS selectors. A link that matches, or that is inside of an element that matches, is left
   * alone.
   */
  readonly excludeSelectors: readonly string[];
  /**
   * Whether a link with an unresolved placeholder is tracked, unless the placeholder is its host.
   */
  readonly placeholders: 'leave' | 'track';
  /** Whether links with `data-msys-unsubscribe` are left alone, or tracked as unsubscribe links. */
  readonly unsubscribeLinks: 'leave' | 'track';
  /** Whether links are tracked whose visible text is itself a URL. */
  readonly trackUrlText: boolean;
  /**
   * Hosts of tracked links in lower case, with a port where it is not the default. Links to them
   * are left alone.
   */
  readonly ownDomains: ReadonlySet<string>;
  /**
   * Decides by target whether a link is left alone. The host is lower case and has a port where it
   * is not the default.
   */
  readonly exclude?: ((target: string, host: string) => boolean) | undefined;
}

/** What `openMessage` takes: each option may be absent, and so may each limit. */
export interface MessageOptions extends Partial<Omit<ReadingOptions, 'limits'>> {
  readonly limits?: Partial<ReadingLimits>;
}

export const DEFAULT_LIMITS: ReadingLimits = {
  bodySize: 50 * 1024 * 1024,
  headerSize: 1024 * 1024,
  parts: 1000,
  depth: 100,
  links: 10_000,
  growth: 8,
  selectorHtmlSize: 1024 * 1024,
  selectorHtmlDepth: 500,
};

const NO_DOMAINS: ReadonlySet<string> = new Set();

/** The completed options by the object that was given, which most callers give for each message. */
const completed = new WeakMap<MessageOptions, ReadingOptions>();

export function withDefaults(options: MessageOptions): ReadingOptions {
  let all = completed.get(options);
  if (all === undefined) {
    all = {
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      rewriteSigned: options.rewriteSigned ?? false,
      clickTrackingParts: options.clickTrackingParts ?? 'both',
      excludeSelectors: options.excludeSelectors ?? [],
      placeholders: options.placeholders ?? 'leave',
      unsubscribeLinks: options.unsubscribeLinks ?? 'leave',
      trackUrlText: options.trackUrlText ?? true,
      ownDomains: options.ownDomains ?? NO_DOMAINS,
      exclude: options.exclude,
    };
    completed.set(options, all);
  }
  return all;
}
