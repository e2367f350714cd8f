import type { BodyAnswer } from './answer.ts';
import type { Modification } from './modification.ts';
import { command, macroStage, ProtocolError, reply } from './protocol.ts';

/** Decodes what a milter sends to its MTA. */

/** A stage for which an MTA sends macros. */
export type MacroStage = keyof typeof macroStage;

/** The agreement with a milter, from its reply to the offer. */
export interface ClientAgreement {
  readonly version: number;
  /** SMFIF_*. */
  readonly actions: number;
  /** SMFIP_*. */
  readonly protocol: number;
  /** The milter's macro request. Stages that it does not name are absent. */
  readonly macros: { readonly [stage in MacroStage]?: readonly string[] };
}

/** An SMTP reply with its own code and text, as an MTA reads it (SMFIR_REPLYCODE). */
export interface ReceivedReply {
  readonly code: number;
  /** The enhanced status code. It is empty if the milter sent none. */
  readonly enhancedCode: string;
  readonly lines: readonly string[];
}

/** The milter's answer to a command. `none` if the agreement says that it does not answer. */
export type ReceivedAnswer = 'none' | Extract<BodyAnswer, string> | ReceivedReply;

/** Decodes the milter's SMFIC_OPTNEG. */
export function decodeAgreement(letter: number, payload: Buffer): ClientAgreement {
  if (letter !== command.negotiate || payload.length < 12) {
    throw new ProtocolError('milter client: negotiate: expected O with at least 12 bytes');
  }
  return {
    version: payload.readUInt32BE(0),
    actions: payload.readUInt32BE(4),
    protocol: payload.readUInt32BE(8),
    macros: decodeMacroRequest(payload.subarray(12)),
  };
}

function decodeMacroRequest(payload: Buffer): ClientAgreement['macros'] {
  const macros: Partial<Record<MacroStage, readonly string[]>> = {};
  const stages = Object.keys(macroStage) as MacroStage[];
  for (let at = 0; at + 4 < payload.length; ) {
    const number = payload.readUInt32BE(at);
    const end = payload.indexOf(0, at + 4);
    if (end < 0) throw new ProtocolError('milter client: negotiate: expected NUL after macros');
    const stage = stages.find((each) => macroStage[each] === number);
    const names = payload.toString('latin1', at + 4, end);
    if (stage !== undefined) macros[stage] = names === '' ? [] : names.split(' ');
    at = end + 1;
  }
  return macros;
}

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

/** Decodes the answer to a command. */
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

/**
 * Decodes a modification.
 * @param verbatim whether SMFIP_HDR_LEADSPC was agreed
 * @returns undefined if the frame is not a modification
 */
export function decodeModification(
  letter: number,
  payload: Buffer,
  verbatim: boolean,
): Modification | undefined {
  switch (letter) {
    case reply.replaceBody:
      return { type: 'replaceBody', chunk: payload };
    case reply.addHeader:
      return { type: 'addHeader', ...decodeHeader(payload, verbatim) };
    case reply.insertHeader:
    case reply.changeHeader:
      return {
        type: letter === reply.insertHeader ? 'insertHeader' : 'changeHeader',
        index: payload.readUInt32BE(0),
        ...decodeHeader(payload.subarray(4), verbatim),
      };
    case reply.addRecipient:
    case reply.addRecipientWithArguments:
      return { type: 'addRecipient', ...decodeEnvelope(payload) };
    case reply.deleteRecipient:
      return { type: 'deleteRecipient', address: decodeEnvelope(payload).address };
    case reply.changeSender:
      return { type: 'changeSender', ...decodeEnvelope(payload) };
    case reply.quarantine:
      return { type: 'quarantine', reason: decodeEnvelope(payload).address };
    default:
      return undefined;
  }
}

function decodeHeader(payload: Buffer, verbatim: boolean): { name: string; value: string } {
  const [name, sent, rest] = payload.toString('latin1').split('\0');
  if (name === undefined || sent === undefined || rest !== '') {
    throw new ProtocolError('milter client: header: expected name, NUL, value, NUL');
  }
  return { name, value: verbatim && sent.startsWith(' ') ? sent.slice(1) : sent };
}

function decodeEnvelope(payload: Buffer): { address: string; args?: string } {
  const [address, args, rest] = payload.toString('latin1').split('\0');
  if (address === undefined || args === undefined) {
    throw new ProtocolError('milter client: expected a text that ends with NUL');
  }
  return rest === undefined ? { address } : { address, args };
}
