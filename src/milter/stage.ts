import type { BodyAnswer } from './answer.ts';
import type { Hook } from './filter.ts';
import { protocolFlag } from './protocol.ts';

/** A stage of an SMTP session. `bodyAtEnd` is the data that SMFIC_BODYEOB may carry. */
export type Stage = Hook | 'bodyAtEnd' | 'endOfMessage';

/**
 * The protocol flags of each stage: `leftOut` (SMFIP_NO*) if it is not sent, `noReply`
 * (SMFIP_NR_*) if it is not answered. 0 is for flags that are never negotiated.
 */
const FLAGS: Readonly<Record<Hook, { leftOut: number; noReply: number }>> = {
  connect: { leftOut: protocolFlag.noConnect, noReply: protocolFlag.noReplyConnect },
  helo: { leftOut: protocolFlag.noHelo, noReply: protocolFlag.noReplyHelo },
  // A message begins at MAIL.
  mail: { leftOut: 0, noReply: protocolFlag.noReplyMail },
  rcpt: { leftOut: protocolFlag.noRcpt, noReply: protocolFlag.noReplyRcpt },
  data: { leftOut: 0, noReply: protocolFlag.noReplyData },
  header: { leftOut: protocolFlag.noHeaders, noReply: protocolFlag.noReplyHeader },
  endOfHeaders: { leftOut: protocolFlag.noEndOfHeaders, noReply: protocolFlag.noReplyEndOfHeaders },
  body: { leftOut: protocolFlag.noBody, noReply: protocolFlag.noReplyBody },
  unknown: { leftOut: protocolFlag.noUnknown, noReply: protocolFlag.noReplyUnknown },
};

/** Each hook with its flags. */
export const hookFlags = Object.entries(FLAGS) as [Hook, (typeof FLAGS)[Hook]][];

/** The flag (SMFIP_NR_*) which says that the stage is not answered. */
export function noReplyFlag(hook: Hook): number {
  return FLAGS[hook].noReply;
}

/** Whether the stage is outside a message. */
export function isOfSession(stage: Stage): stage is 'connect' | 'helo' | 'unknown' {
  return stage === 'connect' || stage === 'helo' || stage === 'unknown';
}

/** Whether the answer lets the message go on to the next stage. */
export function goesOn(answer: BodyAnswer): boolean {
  return answer === 'continue' || answer === 'skip';
}

/**
 * Whether the answer is legal at the stage. Sendmail takes `skip` at another stage than the body as
 * an order to bypass the filter, and outside a message there is nothing to discard.
 */
export function mayAnswer(stage: Stage, answer: BodyAnswer): boolean {
  if (answer === 'skip') return stage === 'body' || stage === 'bodyAtEnd';
  return answer !== 'discard' || !isOfSession(stage);
}
