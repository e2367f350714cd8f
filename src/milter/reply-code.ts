/** An SMTP reply of the filter's own wording, as `reply()` makes it. */
export interface Reply {
  /** 400–599. */
  readonly code: number;
  /** RFC 3463, e.g. `5.7.1`. */
  readonly enhancedCode: string;
  readonly lines: readonly string[];
  /** The payload of the packet (SMFIR_REPLYCODE): SMTP lines, CRLF between them, every `%` doubled. */
  readonly payload: Buffer;
}

/** The longest line Sendmail takes (MAXREPLYLEN), code and enhanced code included. */
const MAX_LINE = 980;
/** MAXREPLIES. */
const MAX_LINES = 32;

/**
 * An SMTP reply to answer with, e.g. `reply(550, '5.7.1', 'Not here')` (smfi_setmlreply).
 * Throws a RangeError where code, enhanced code or text could not be sent.
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
    const whole = `${code}${n < lines.length - 1 ? '-' : ' '}${enhancedCode} ${line.replaceAll('%', '%%')}`;
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
