import type { RewrittenLink } from '../message/link.ts';
import type { SkipReason } from '../message/skip-reasons.ts';

/** What became of a message. */
export type Verdict =
  | 'tracked'
  /** Sent on with not a byte of its body changed. */
  | 'untouched'
  /** As `tracked` would be, but for `dry_run`. */
  | 'dry-run'
  | 'rejected'
  | 'tempfailed';

/** Why a message is left alone, beyond what its content says. */
export type WhyUntouched =
  | SkipReason
  | 'off' // click_tracking_enabled is not on where it matters
  | 'several-recipients' // recipients = single
  | 'excluded-recipient'
  | 'null-sender' // as of bounces (RFC 5321 §4.5.5)
  | 'nothing-to-track' // every link has a reason of its own
  | 'store-unavailable'
  | 'smtpapi' // X-MSYS-API is not valid
  | 'over-limit' // more headers or recipients than Milter_Listener takes
  | 'memory' // the messages under way hold max_memory already
  | 'not-granted'; // the MTA lets nobody change body or headers

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
