import { fromUtf8 } from '../milter/text.ts';
import type { MessageFieldLimits } from '../scope/context-variables.ts';
import type { SenderWishes } from '../scope/decide.ts';
import type { Vendor } from '../scope/tracking-options.ts';
import { parseSmtpapi, SMTPAPI } from './smtpapi.ts';
import { readVendorHeaders, VENDOR_HEADERS } from './vendor-headers.ts';

/** Fields of one name that are removed: MTAs read the whole header again for each. */
const MAX_REMOVED = 2000;

/**
 * The header fields of one message by which its sender says how it is tracked: those that are
 * honoured.
 */
export class SenderHeaders {
  /** Whether X-MSYS-API is honoured. */
  readonly believesXMsysApi: boolean;
  /** The other vendors whose headers are honoured. */
  readonly vendors: readonly Vendor[];
  /** Beginnings of names that are examined further, in lower case. */
  readonly #prefixes: readonly string[];
  readonly #names: ReadonlySet<string>;
  readonly #values = new Map<string, string[]>();
  /** How many fields there are of each name, which is known without memory for their values. */
  readonly #counts = new Map<string, number>();
  readonly #others = new Set<string>();

  constructor(believesXMsysApi: boolean, vendors: readonly Vendor[]) {
    this.believesXMsysApi = believesXMsysApi;
    this.vendors = [...new Set(vendors)];
    const known = this.vendors.map((vendor) => VENDOR_HEADERS[vendor]);
    this.#prefixes = known.flatMap(({ others }) => others);
    this.#names = new Set([
      ...(believesXMsysApi ? [SMTPAPI] : []),
      ...known.flatMap(({ headers }) => headers.map(({ name }) => name.toLowerCase())),
    ]);
  }

  /** Whether any header is honoured. */
  get areHonoured(): boolean {
    return this.#names.size > 0;
  }

  /** Counts a field. @returns what takes its value, if the field is honoured */
  count(name: string): ((value: string) => void) | undefined {
    if (!this.areHonoured || !/^x-/i.test(name)) return undefined;
    const key = name.toLowerCase();
    if (!this.#names.has(key)) {
      const isOther = this.#prefixes.some((prefix) => key.startsWith(prefix));
      return isOther ? () => this.#others.add(name) : undefined;
    }
    this.#counts.set(key, Math.min((this.#counts.get(key) ?? 0) + 1, MAX_REMOVED));
    return (value) => {
      const values = this.#values.get(key) ?? [];
      values.push(fromUtf8(value));
      this.#values.set(key, values);
    };
  }

  /** How many fields of each name to remove, since they are honoured. */
  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  /**
   * Reads the fields: X-MSYS-API goes before those of other vendors.
   * @returns undefined where there are none, or the SMTP reply that rejects the message
   */
  read(
    limits: MessageFieldLimits,
  ): { readonly wishes: SenderWishes } | { readonly reject: string } | undefined {
    if (this.#values.size === 0 && this.#others.size === 0) return undefined;
    const parsed = parseSmtpapi(this.#values.get(SMTPAPI) ?? [], limits);
    if ('reject' in parsed) return parsed;
    const { header } = parsed;
    if (this.vendors.length === 0) return { wishes: header };
    const { tags, problems, notDone, askedBy, ...vendors } = readVendorHeaders(
      this.vendors,
      this.#values,
      this.#others,
    );
    return {
      wishes: {
        ...vendors,
        ...(tags.length > 0 && { tags }),
        ...header,
        askedBy: new Map([...askedBy].filter(([wish]) => !(wish in header))),
        problems: [...(header.problems ?? []), ...problems],
        notDoneHeaders: notDone,
      },
    };
  }
}
