import type { RewrittenLink } from '../message/link.ts';
import { SKIP_REASONS, type SkipReason } from '../message/skip-reasons.ts';

/** What became of a message. */
export type Verdict =
  | 'tracked'
  /** Sent on with not a byte of its body changed. */
  | 'untouched'
  /** As `tracked` would be, but for `dry_run`. */
  | 'dry-run'
  | 'rejected'
  | 'tempfailed';

/** Why a message is left untouched, whatever it contains. */
const FILTER_REASONS = {
  off: 'click_tracking_enabled is off',
  'several-recipients': 'recipients = single, and it does not have exactly one recipient',
  'excluded-recipient': 'a recipient is in exclude_recipients',
  'null-sender': 'its sender is empty, as of bounces and automatic replies',
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

/** One message, told once: for the log, the metrics, and `explain`. */
export interface MessageReport {
  readonly verdict: Verdict;
  readonly reason?: WhyUntouched;
  /** The SMTP reply of a message that was rejected, or would be but for `dry_run`. */
  readonly reply?: string;
  /** The most specific scope that matched; absent where none did. */
  readonly scope?: string;
  readonly queueId?: string;
  /** Only of a message with tracked links. */
  readonly messageId?: string;
  readonly campaignId?: string;
  readonly pathway?: string;
  readonly kind?: 'stored' | 'sealed';
  /** Every link that was found, tracked or not. */
  readonly links: readonly RewrittenLink[];
  /** Bytes of the body as it came; what was not read is not counted. */
  readonly bodySize: number;
  /** From MAIL to the verdict, the MTA's pauses included. */
  readonly milliseconds: number;
  /** Fields of X-MSYS-API that ask for what clickmilter does not do. */
  readonly notDone?: readonly string[];
  /** Settings that were ignored because of their value, as sentences. */
  readonly problems: readonly string[];
}
