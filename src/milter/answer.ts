import type { Reply } from './reply-code.ts';

/** An answer outside a message: there `accept` ends the filtering of the whole SMTP session. */
export type SessionAnswer =
  | 'continue'
  | 'accept'
  | 'reject'
  | 'tempfail'
  /** SMFIR_CONN_FAIL: the MTA ends the SMTP connection as if it had failed. */
  | 'connFail'
  /** SMFIR_SHUTDOWN: the MTA answers 421 and closes. */
  | 'shutdown'
  | Reply;

/**
 * An answer to a stage of a message. At RCPT `reject`, `tempfail` and replies mean that one recipient;
 * everything else but `continue` ends the message for this filter.
 */
export type Answer = SessionAnswer | 'discard';

/** An answer to a piece of the body; `skip` says that no more of it is needed. */
export type BodyAnswer = Answer | 'skip';
