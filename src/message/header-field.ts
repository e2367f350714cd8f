/** A header field as a milter gets it: latin1 byte strings, the value perhaps folded with LF and with a leading space. */
export interface HeaderField {
  readonly name: string;
  readonly value: string;
}
