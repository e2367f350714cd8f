import type { BodyAnswer } from './answer.ts';
import type { Hook } from './filter.ts';
import { protocolFlag } from './protocol.ts';

/** Where a hook is called; `bodyAtEnd` is the data that may come with SMFIC_BODYEOB. */
export type Stage = Hook | 'bodyAtEnd' | 'endOfMessage';

/** The flag (SMFIP_NR_*) that makes a stage one without reply. */
export const NO_REPLY: Readonly<Record<Stage, number>> = {
  connect: protocolFlag.noReplyConnect,
  helo: protocolFlag.noReplyHelo,
  mail: protocolFlag.noReplyMail,
  rcpt: protocolFlag.noReplyRcpt,
  data: protocolFlag.noReplyData,
  header: protocolFlag.noReplyHeader,
  endOfHeaders: protocolFlag.noReplyEndOfHeaders,
  body: protocolFlag.noReplyBody,
  bodyAtEnd: 0,
  endOfMessage: 0,
  unknown: protocolFlag.noReplyUnknown,
};

/** Stages that are not about a message. */
export function isOfSession(stage: Stage): boolean {
  return stage === 'connect' || stage === 'helo' || stage === 'unknown';
}

/** Elsewhere than to a piece of the body `skip` makes Sendmail skip the filter, and outside a message nothing can be discarded. */
export function mayAnswer(stage: Stage, answer: BodyAnswer): boolean {
  if (answer === 'skip') return stage === 'body' || stage === 'bodyAtEnd';
  return answer !== 'discard' || !isOfSession(stage);
}
