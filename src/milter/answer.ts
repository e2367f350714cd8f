import { frame } from './frame.ts';
import { reply } from './protocol.ts';
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

const WORDS: Readonly<Record<Extract<BodyAnswer, string>, Buffer>> = {
  continue: frame(reply.continue),
  accept: frame(reply.accept),
  reject: frame(reply.reject),
  tempfail: frame(reply.tempfail),
  discard: frame(reply.discard),
  skip: frame(reply.skip),
  connFail: frame(reply.connFail),
  shutdown: frame(reply.shutdown),
};

export function encodeAnswer(answer: BodyAnswer): Buffer {
  return typeof answer === 'string' ? WORDS[answer] : frame(reply.replyCode, answer.payload);
}

/** Whether it is an answer at all: callers from JavaScript may give anything. */
export function isAnswer(answer: unknown): answer is BodyAnswer {
  if (typeof answer === 'string') return Object.hasOwn(WORDS, answer);
  if (typeof answer !== 'object' || answer === null || !('payload' in answer)) return false;
  return Buffer.isBuffer(answer.payload);
}

/** Answers that mean one recipient where they are given to RCPT. */
export function isRefusal(answer: BodyAnswer): boolean {
  return answer === 'reject' || answer === 'tempfail' || typeof answer !== 'string';
}
