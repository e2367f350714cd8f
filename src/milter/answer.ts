import { frame } from './frame.ts';
import { reply as replies } from './protocol.ts';

/** An SMTP reply with its own code and text (SMFIR_REPLYCODE), made by `reply()`. */
export interface Reply {
  /** 400 to 599. */
  readonly code: number;
  /** The enhanced status code (RFC 3463), for example `5.7.1`. */
  readonly enhancedCode: string;
  /** The text, one element per line of the reply, without codes. */
  readonly lines: readonly string[];
  /** The payload of the packet: SMTP lines joined by CRLF, every `%` doubled, NUL at the end. */
  readonly payload: Buffer;
}

/** An answer outside a message. `accept` ends the filtering of the whole SMTP session. */
export type SessionAnswer =
  | 'continue'
  | 'accept'
  | 'reject'
  | 'tempfail'
  /** SMFIR_CONN_FAIL: the MTA ends the SMTP connection as if it had failed. */
  | 'connFail'
  /** SMFIR_SHUTDOWN: the MTA answers 421 and closes the SMTP connection. */
  | 'shutdown'
  | Reply;

/**
 * An answer to a stage of a message. At RCPT, `reject`, `tempfail` and replies refuse that one
 * recipient. All other answers but `continue` end the message for this filter.
 */
export type Answer = SessionAnswer | 'discard';

/** An answer to a piece of the body. `skip` means that the filter needs no more of the body. */
export type BodyAnswer = Answer | 'skip';

const WORDS: Readonly<Record<Extract<BodyAnswer, string>, Buffer>> = {
  continue: frame(replies.continue),
  accept: frame(replies.accept),
  reject: frame(replies.reject),
  tempfail: frame(replies.tempfail),
  discard: frame(replies.discard),
  skip: frame(replies.skip),
  connFail: frame(replies.connFail),
  shutdown: frame(replies.shutdown),
};

/** The frame of an answer. */
export function encodeAnswer(answer: BodyAnswer): Buffer {
  return typeof answer === 'string' ? WORDS[answer] : frame(replies.replyCode, answer.payload);
}

/** Checks what a hook returned: a filter written in JavaScript may return anything. */
export function isAnswer(answer: unknown): answer is BodyAnswer {
  if (typeof answer === 'string') return Object.hasOwn(WORDS, answer);
  if (typeof answer !== 'object' || answer === null || !('payload' in answer)) return false;
  return Buffer.isBuffer(answer.payload);
}

/** Whether the answer refuses a single recipient when it is given to RCPT. */
export function isRefusal(answer: object | string): boolean {
  return answer === 'reject' || answer === 'tempfail' || typeof answer === 'object';
}

/** MAXREPLYLEN: bytes of the longest line Sendmail takes, code and enhanced code included. */
const MAX_LINE = 980;
/** MAXREPLIES: the most lines Sendmail takes. */
const MAX_LINES = 32;

/**
 * Makes an SMTP reply to answer with (smfi_setmlreply), for example
 * `reply(550, '5.7.1', 'Not here')`.
 * @param code 400 to 599
 * @param enhancedCode RFC 3463, of the same class as the code
 * @param text one line, or up to 32 lines, as byte strings (see `toUtf8`)
 * @throws RangeError if the code, the enhanced code or the text cannot be sent
 */
export function reply(code: number, enhancedCode: string, text: string | readonly string[]): Reply {
  const lines = typeof text === 'string' ? [text] : [...text];
  if (!Number.isInteger(code) || code < 400 || code > 599) {
    throw new RangeError(`milter: reply: code ${code}: expected 400 to 599`);
  }
  if (!/^[45]\.\d{1,3}\.\d{1,3}$/.test(enhancedCode) || enhancedCode[0] !== String(code)[0]) {
    throw new RangeError(
      `milter: reply: enhanced code "${enhancedCode}": expected ${String(code)[0]}.x.y`,
    );
  }
  if (lines.length < 1 || lines.length > MAX_LINES) {
    throw new RangeError(`milter: reply: ${lines.length} lines: expected 1 to ${MAX_LINES}`);
  }
  const sent = lines.map((line, n) => {
    if (/[^\t -~\x80-\xff]/.test(line)) {
      throw new RangeError(
        `milter: reply: line ${n + 1} has a control character or one above U+00FF: expected printable bytes (toUtf8)`,
      );
    }
    const separator = n < lines.length - 1 ? '-' : ' ';
    // Sendmail discards a text with a single percent sign.
    const whole = `${code}${separator}${enhancedCode} ${line.replaceAll('%', '%%')}`;
    if (whole.length > MAX_LINE) {
      throw new RangeError(
        `milter: reply: line ${n + 1} has ${whole.length} bytes: expected at most ${MAX_LINE}`,
      );
    }
    return whole;
  });
  return Object.freeze({
    code,
    enhancedCode,
    lines: Object.freeze(lines),
    payload: Buffer.from(`${sent.join('\r\n')}\0`, 'latin1'),
  });
}
