import { MAX_DATA, ProtocolError } from './protocol.ts';

/**
 * The commands whose macros are kept, in the order in which an MTA sends them. Macros of a later
 * command win. Postfix also sends macros for L, B, U and A.
 */
const MACRO_ORDER = 'CHMRTLNBEUA';
const MACRO_INDEX = new Int8Array(128).fill(-1);
for (let n = 0; n < MACRO_ORDER.length; n++) MACRO_INDEX[MACRO_ORDER.charCodeAt(n)] = n;

/** Sendmail sends at most 50 macros with a command, and Postfix has fewer. */
const MAX_MACROS = 250;

/** The macros of one SMTP session, by the command they belong to. Parsed when first asked for. */
export class Macros {
  #sent: (string | undefined)[] = [];
  #parsed: (Map<string, string> | undefined)[] = [];

  /**
   * Takes the payload of SMFIC_MACRO: the letter of a command, then name NUL value NUL and so on.
   * The macros replace those of the same command.
   */
  set(payload: string): void {
    if (payload === '') throw new ProtocolError('milter: macro: expected a stage');
    const stage = MACRO_INDEX[payload.charCodeAt(0)] ?? -1;
    if (stage < 0) return;
    this.#sent[stage] = undefined;
    this.#parsed[stage] = undefined;
    if (payload.length === 1) return;
    // Each command could have as much as a packet holds. Those of real MTAs take a few KB in sum.
    const held = this.#sent.reduce((sum, sent = '') => sum + sent.length, payload.length);
    if (held > MAX_DATA) {
      throw new ProtocolError(
        `milter: macro: ${held} bytes in a session: expected at most ${MAX_DATA}`,
      );
    }
    this.#sent[stage] = payload.slice(1);
  }

  /** Drops the macros of later commands, as libmilter does at CONNECT, HELO, MAIL and RCPT. */
  begin(letter: number): void {
    const stage = MACRO_INDEX[letter] ?? -1;
    if (stage >= 0 && stage <= MACRO_ORDER.indexOf('R')) this.#clearFrom(stage + 1);
  }

  /** Drops the macros of the current message. */
  clearMessage(): void {
    this.#clearFrom(MACRO_ORDER.indexOf('M'));
  }

  /** Drops all macros. */
  clear(): void {
    this.#clearFrom(0);
  }

  #clearFrom(stage: number): void {
    if (this.#sent.length > stage) {
      this.#sent.length = stage;
      this.#parsed.length = Math.min(this.#parsed.length, stage);
    }
  }

  /** The value of a macro. `x` and `{x}` are the same name. */
  get(name: string): string | undefined {
    const key = withoutBraces(name);
    for (let stage = this.#sent.length - 1; stage >= 0; stage--) {
      const value = this.#at(stage)?.get(key);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  #at(stage: number): Map<string, string> | undefined {
    const sent = this.#sent[stage];
    if (sent === undefined) return undefined;
    const known = this.#parsed[stage];
    if (known !== undefined) return known;
    const parsed = new Map<string, string>();
    // Bytes after the last NUL and a name without a value are ignored, as in libmilter.
    const texts = sent.split('\0', 2 * MAX_MACROS + 1).slice(0, -1);
    for (let n = 0; n + 1 < texts.length; n += 2) {
      parsed.set(withoutBraces(texts[n] ?? ''), texts[n + 1] ?? '');
    }
    this.#parsed[stage] = parsed;
    return parsed;
  }
}

function withoutBraces(name: string): string {
  return name.startsWith('{') && name.endsWith('}') ? name.slice(1, -1) : name;
}
