import type { MessageFacts } from '../link/message-facts.ts';
import type { RewrittenLink } from '../message/link.ts';
import { SKIP_REASONS, type SkipReason } from '../message/skip-reasons.ts';
import type { HeaderLimit } from '../milter/message-limits.ts';

/** What became of a message. */
export type Verdict =
  | 'tracked'
  /** No byte of the body was changed. */
  | 'untouched'
  /** The message would have been tracked or rejected without `dry_run`. */
  | 'dry-run'
  | 'rejected'
  | 'tempfailed';

/** Reasons to leave a message untouched that do not depend on its content. */
const FILTER_REASONS = {
  off: 'click_tracking_enabled is off',
  'several-recipients': 'recipients = single, and it does not have exactly one recipient',
  'excluded-recipient': 'a recipient is in exclude_recipients',
  'recipient-opted-out': 'a recipient does not want to be tracked (clickmilter optout)',
  'null-sender': 'its sender is empty, as of bounces and automatic replies',
  'domain-not-allowed': 'tracking_domains_allowed does not have the tracking domain of its sender',
  'nothing-to-track': 'none of its links is to be tracked',
  'store-unavailable': 'the link store is unavailable (on_failure)',
  smtpapi: 'its X-MSYS-API header is not valid',
  'over-limit': 'it has more headers or recipients than Milter_Listener takes',
  memory: 'the messages under way at that moment held max_memory already',
  'not-granted':
    'the MTA lets the milter change no body or no headers (SMFIF_CHGBODY, SMFIF_CHGHDRS)',
} as const;

/** Every reason with its explanation, by what it applies to. */
export const UNTOUCHED_REASONS = {
  message: { ...FILTER_REASONS, ...SKIP_REASONS.message },
  part: SKIP_REASONS.part,
  link: SKIP_REASONS.link,
} as const;

export type WhyUntouched = keyof typeof FILTER_REASONS | SkipReason;

/** Explains a reason in words that complete "left alone: …". */
export function explainReason(reason: WhyUntouched): string {
  const { message, part, link } = UNTOUCHED_REASONS;
  return { ...message, ...part, ...link }[reason];
}

/** The options of Milter_Listener that the filter counts against, and what they are measured in. */
const LIMITS = {
  recipients: ['max_recipients', ''],
  headerCount: ['max_header_count', ''],
  headerBytes: ['max_header_size', ' bytes'],
} as const;

/** A sentence for the log about a message over a limit. */
export function describeExceeded(
  limit: HeaderLimit,
  limits: Readonly<Record<HeaderLimit, number>>,
): string {
  const [option, unit] = LIMITS[limit];
  return `message over ${option} (${limits[limit]}${unit}): delivered untracked`;
}

/** The outcome of a message, with what its report says of it as far as that is known. */
export interface Outcome {
  readonly verdict: Verdict;
  readonly reason?: WhyUntouched;
  /** The SMTP reply that rejects the message. */
  readonly reply?: string;
  /** All links that were found, tracked or not. */
  readonly links?: readonly RewrittenLink[];
  /** How the tokens of the links were made. */
  readonly kind?: 'stored' | 'sealed';
  /** The facts of links that have tokens. */
  readonly facts?: MessageFacts;
  /** The new body, if it changes. */
  readonly body?: readonly Buffer[];
}

/**
 * The report of one message, for the log, the metrics and `explain`. Every message has one, and an
 * object of one form costs less than members that may be absent.
 */
export interface MessageReport {
  readonly verdict: Verdict;
  readonly reason?: WhyUntouched | undefined;
  /** The SMTP reply that rejects the message, or would do so without `dry_run`. */
  readonly reply?: string | undefined;
  /** The most specific scope that matched. */
  readonly scope?: string | undefined;
  readonly queueId?: string | undefined;
  /** Only if the message has tracked links. */
  readonly messageId?: string | undefined;
  readonly campaignId?: string | undefined;
  readonly pathway?: string | undefined;
  readonly kind?: 'stored' | 'sealed' | undefined;
  /** All links that were found, tracked or not. */
  readonly links: readonly RewrittenLink[];
  /** Bytes of the body that were read, before the rewrite. */
  readonly bodySize: number;
  /** Milliseconds from MAIL to the verdict, including the time the MTA takes. */
  readonly milliseconds: number;
  /** Members of X-MSYS-API that clickmilter does not support. */
  readonly notDone?: readonly string[] | undefined;
  /** Sentences about settings that were ignored because of their value. */
  readonly problems: readonly string[];
}
