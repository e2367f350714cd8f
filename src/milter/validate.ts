/**
 * Checks texts before they are sent to an MTA. After a NUL or a line break, an MTA would take the
 * rest of a text for a command or a header field of its own.
 */

const NOT_BYTES = /[\0\u0100-\uffff]/;
const NOT_ONE_LINE = /[\0\r\n\u0100-\uffff]/;

/** Bytes per text. No MTA takes more, and a packet holds 65535. */
const MAX_TEXT = 60_000;

/**
 * Checks a header field: its name (RFC 5322, section 3.6.8), its value in bytes, LF only for
 * folding.
 * @throws RangeError if it cannot be sent
 */
export function checkHeader(name: string, value: string, place: string): void {
  if (!/^[!-9;-~]+$/.test(name)) {
    throw new RangeError(
      `milter: ${place}: field name ${JSON.stringify(name)}: expected printable ASCII without colon`,
    );
  }
  checkLength(name.length + value.length, 'field', place);
  if (NOT_BYTES.test(value) || value.includes('\r') || /\n(?![ \t])/.test(value)) {
    throw new RangeError(
      `milter: ${place}: value ${JSON.stringify(value)}: expected bytes (toUtf8) without NUL and CR, LF only before space or tab`,
    );
  }
}

/**
 * Checks texts of one line: an address, its arguments, a reason.
 * @throws RangeError if one cannot be sent
 */
export function checkLines(place: string, ...texts: readonly string[]): void {
  for (const text of texts) {
    checkLength(text.length, 'text', place);
    if (NOT_ONE_LINE.test(text)) {
      throw new RangeError(
        `milter: ${place}: ${JSON.stringify(text)}: expected bytes (toUtf8) without NUL, CR and LF`,
      );
    }
  }
}

/**
 * Checks the index of a header field.
 * @throws RangeError if it is below `least` or does not fit into 31 bits
 */
export function checkIndex(index: number, least: number, place: string): void {
  if (!Number.isInteger(index) || index < least || index > 0x7fffffff) {
    throw new RangeError(`milter: ${place}: index ${index}: expected an integer from ${least}`);
  }
}

function checkLength(bytes: number, what: string, place: string): void {
  if (bytes > MAX_TEXT) {
    throw new RangeError(
      `milter: ${place}: ${what} of ${bytes} bytes: expected at most ${MAX_TEXT}`,
    );
  }
}
