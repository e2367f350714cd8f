import type { BodyAnswer } from './answer.ts';
import type { Modification } from './modification.ts';
import { reply } from './protocol.ts';
import { ProtocolError } from './protocol-error.ts';

/** The MTA's reading of what a milter sends. */

/** An SMTP reply of the milter's own wording, as the MTA reads it. */
export interface ReceivedReply {
  readonly code: number;
  /** Empty where the milter gave none. */
  readonly enhancedCode: string;
  readonly lines: readonly string[];
}

/** The milter's answer to one command; `none` where it was agreed that there is none. */
export type ReceivedAnswer = 'none' | Extract<BodyAnswer, string> | ReceivedReply;

const ANSWERS = new Map<number, Exclude<ReceivedAnswer, ReceivedReply>>([
  [reply.continue, 'continue'],
  [reply.accept, 'accept'],
  [reply.reject, 'reject'],
  [reply.tempfail, 'tempfail'],
  [reply.discard, 'discard'],
  [reply.skip, 'skip'],
  [reply.connFail, 'connFail'],
  [reply.shutdown, 'shutdown'],
]);

export function decodeAnswer(letter: number, payload: Buffer): ReceivedAnswer {
  if (letter === reply.replyCode) return decodeReplyCode(payload);
  const answer = ANSWERS.get(letter);
  if (answer === undefined) {
    throw new ProtocolError(
      `milter client: reply ${JSON.stringify(String.fromCharCode(letter))}: expected an answer`,
    );
  }
  return answer;
}

function decodeReplyCode(payload: Buffer): ReceivedReply {
  const end = payload.indexOf(0);
  const text = payload.toString('latin1', 0, end < 0 ? payload.length : end).replaceAll('%%', '%');
  let code = 0;
  let enhancedCode = '';
  const lines = text.split('\r\n').map((line) => {
    const parts = /^(\d{3})[ -]?(?:(\d\.\d{1,3}\.\d{1,3}) )?(.*)$/.exec(line);
    if (parts === null) {
      throw new ProtocolError(
        `milter client: reply ${JSON.stringify(line)}: expected an SMTP reply`,
      );
    }
    code = Number(parts[1]);
    enhancedCode = parts[2] ?? '';
    return parts[3] ?? '';
  });
  return { code, enhancedCode, lines };
}

/** A modification, or undefined where the frame is none. */
export function decodeModification(
  letter: number,
  payload: Buffer,
  verbatim: boolean,
): Modification | undefined {
  switch (letter) {
    case reply.replaceBody:
      return { type: 'replaceBody', chunk: payload };
    case reply.addHeader:
      return { type: 'addHeader', ...header(payload, verbatim) };
    case reply.insertHeader:
      return {
        type: 'insertHeader',
        index: payload.readUInt32BE(0),
        ...header(payload.subarray(4), verbatim),
      };
    case reply.changeHeader:
      return {
        type: 'changeHeader',
        index: payload.readUInt32BE(0),
        ...header(payload.subarray(4), verbatim),
      };
    case reply.addRecipient:
    case reply.addRecipientWithArguments:
      return { type: 'addRecipient', ...envelope(payload) };
    case reply.deleteRecipient:
      return { type: 'deleteRecipient', address: envelope(payload).address };
    case reply.changeSender:
      return { type: 'changeSender', ...envelope(payload) };
    case reply.quarantine:
      return { type: 'quarantine', reason: envelope(payload).address };
    default:
      return undefined;
  }
}

function header(payload: Buffer, verbatim: boolean): { name: string; value: string } {
  const [name, sent, rest] = payload.toString('latin1').split('\0');
  if (name === undefined || sent === undefined || rest !== '') {
    throw new ProtocolError('milter client: header: expected name, NUL, value, NUL');
  }
  return { name, value: verbatim && sent.startsWith(' ') ? sent.slice(1) : sent };
}

function envelope(payload: Buffer): { address: string; args?: string } {
  const [address, args, rest] = payload.toString('latin1').split('\0');
  if (address === undefined || args === undefined) {
    throw new ProtocolError('milter client: expected a text that ends with NUL');
  }
  return rest === undefined ? { address } : { address, args };
}
