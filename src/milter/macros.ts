import { ProtocolError } from './protocol-error.ts';

/** Commands in the order in which their macros come; a later one wins. Postfix also sends them for L, B, U and A. */
const ORDER = 'CHMRTLNBEUA';
const INDEX = new Int8Array(128).fill(-1);
for (let n = 0; n < ORDER.length; n++) INDEX[ORDER.charCodeAt(n)] = n;

/** The macros of one SMTP session, by the stage they were sent for. They are parsed when asked for. */
export class Macros {
  #sent: (string | undefined)[] = [];
  #parsed: (Map<string, string> | undefined)[] = [];

  /** SMFIC_MACRO: the command they belong to, then name NUL value NUL …; replaces those of that stage. */
  set(payload: Buffer): void {
    if (payload.length === 0) throw new ProtocolError('milter: macro: expected a stage');
    const stage = INDEX[payload[0] ?? 0] ?? -1;
    if (stage < 0) return;
    this.#sent[stage] = payload.length > 1 ? payload.toString('latin1', 1) : undefined;
    this.#parsed[stage] = undefined;
  }

  /** Forgets the macros of all stages after that command's. */
  clearAfter(command: number): void {
    this.#clearFrom((INDEX[command] ?? -1) + 1);
  }

  /** Forgets everything that belongs to a message. */
  clearMessage(): void {
    this.#clearFrom(ORDER.indexOf('M'));
  }

  clear(): void {
    this.#clearFrom(0);
  }

  #clearFrom(stage: number): void {
    if (this.#sent.length > stage) {
      this.#sent.length = stage;
      this.#parsed.length = Math.min(this.#parsed.length, stage);
    }
  }

  get(name: string): string | undefined {
    const key = canonical(name);
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
    // What follows the last NUL is no text, and a name without a value no macro.
    const texts = sent.split('\0').slice(0, -1);
    for (let n = 0; n + 1 < texts.length; n += 2) {
      parsed.set(canonical(texts[n] ?? ''), texts[n + 1] ?? '');
    }
    this.#parsed[stage] = parsed;
    return parsed;
  }
}

/** `{x}` and `x` are one name. */
function canonical(name: string): string {
  return name.startsWith('{') && name.endsWith('}') ? name.slice(1, -1) : name;
}
