/** What may be sent to an MTA: it would act on the rest of a text after a NUL or a line break as its own. */

const NOT_BYTES = /[\0\u0100-\uffff]/;
const NOT_ONE_LINE = /[\0\r\n\u0100-\uffff]/;

/** More than any MTA takes, and less than a packet. */
const MAX_FIELD = 60_000;

/** A field: its name as of RFC 5322 section 3.6.8, its value in bytes, LF only where it folds the line. */
export function checkHeader(name: string, value: string, place: string): void {
  if (!/^[!-9;-~]+$/.test(name)) {
    throw new RangeError(
      `milter: ${place}: field name ${JSON.stringify(name)}: expected printable ASCII without colon`,
    );
  }
  if (name.length + value.length > MAX_FIELD) {
    throw new RangeError(
      `milter: ${place}: field of ${name.length + value.length} bytes: expected at most ${MAX_FIELD}`,
    );
  }
  if (NOT_BYTES.test(value) || value.includes('\r') || /\n(?![ \t])/.test(value)) {
    throw new RangeError(
      `milter: ${place}: value ${JSON.stringify(value)}: expected bytes (toUtf8) without NUL and CR, LF only before space or tab`,
    );
  }
}

/** An address, an argument, a reason. */
export function checkLine(text: string, place: string): void {
  if (text.length > MAX_FIELD) {
    throw new RangeError(
      `milter: ${place}: text of ${text.length} bytes: expected at most ${MAX_FIELD}`,
    );
  }
  if (NOT_ONE_LINE.test(text)) {
    throw new RangeError(
      `milter: ${place}: ${JSON.stringify(text)}: expected bytes (toUtf8) without NUL, CR and LF`,
    );
  }
}
