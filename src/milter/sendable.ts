/** What may be sent to an MTA: it would act on the rest of a text after a NUL or a line break as its own. */

const NOT_BYTES = /[\0\u0100-\uffff]/;
const NOT_ONE_LINE = /[\0\r\n\u0100-\uffff]/;

/** A field name, RFC 5322 section 3.6.8. */
export function checkHeaderName(name: string, place: string): void {
  if (!/^[!-9;-~]+$/.test(name)) {
    throw new RangeError(
      `milter: ${place}: field name ${JSON.stringify(name)}: expected printable ASCII without colon`,
    );
  }
}

/** A field's value: bytes; LF only where it folds the line. */
export function checkHeaderValue(value: string, place: string): void {
  if (NOT_BYTES.test(value) || value.includes('\r') || /\n(?![ \t])/.test(value)) {
    throw new RangeError(
      `milter: ${place}: value ${JSON.stringify(value)}: expected bytes (toUtf8) without NUL and CR, LF only before space or tab`,
    );
  }
}

/** An address, an argument, a reason. */
export function checkLine(text: string, place: string): void {
  if (NOT_ONE_LINE.test(text)) {
    throw new RangeError(
      `milter: ${place}: ${JSON.stringify(text)}: expected bytes (toUtf8) without NUL, CR and LF`,
    );
  }
}
