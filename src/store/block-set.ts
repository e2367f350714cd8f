import { isSafeUrl } from '../lib/text.ts';
import { parseJson } from '../lib/values.ts';
import { MAX_TARGET, object, text } from '../link/fact.ts';
import type { ResolvedLink } from '../link/link-store.ts';
import type { Block, Retarget, Ruling } from './store.ts';

/** Characters of the longest name in DNS (RFC 1035 §2.3.4): no blocked domain is longer. */
const MAX_DOMAIN = 253;

/** Characters of the longest details of a retarget: a URL, and some sentences. */
const MAX_DETAILS = 2 * MAX_TARGET;

/** The rulings of an operator, to be searched for each link. */
export class BlockSet {
  readonly #rulings: ReadonlyMap<string, Ruling>;

  constructor(rulings: Iterable<Ruling>) {
    this.#rulings = new Map(
      [...rulings].map((ruling) => {
        const { kind, value } = ruling;
        return [
          rulingKey(kind === 'url' ? { ...ruling, value: browserUrl(value) } : ruling),
          ruling,
        ];
      }),
    );
  }

  /**
   * Finds a ruling about a link: about its token, its message, its target in any spelling, or the
   * target's domain or a domain above it.
   */
  find(token: string, { link, message }: ResolvedLink): Ruling | undefined {
    if (this.#rulings.size === 0) return undefined;
    const url = browserUrl(link.target);
    const retarget = () =>
      this.#get('retarget token', token) ??
      this.#get('retarget message', message.messageId) ??
      this.#get('retarget url', url);
    const found =
      this.#get('token', token) ??
      this.#get('message', message.messageId) ??
      this.#blockOf(url) ??
      retarget();
    return found?.to === undefined ? found : (this.#blockOf(browserUrl(found.to)) ?? found);
  }

  #blockOf(url: string): Ruling | undefined {
    return this.#get('url', url) ?? this.#findDomain(url);
  }

  #findDomain(url: string): Ruling | undefined {
    if (!URL.canParse(url)) return undefined;
    const host = new URL(url).hostname.replace(/\.$/, '');
    let block = this.#get('domain', host);
    // A sender may write a host of thousands of labels, and each look-up hashes what is left of it.
    let dot = host.indexOf('.', Math.max(0, host.length - MAX_DOMAIN - 1));
    while (block === undefined && dot >= 0) {
      block = this.#get('domain', host.slice(dot + 1));
      dot = host.indexOf('.', dot + 1);
    }
    return block;
  }

  #get(what: string, value: string): Ruling | undefined {
    return this.#rulings.get(`${what} ${value}`);
  }
}

/**
 * Spells a URL as browsers do, whether it comes from an address bar, an event or a mail; other
 * texts stay unchanged.
 */
export function browserUrl(url: string): string {
  try {
    // Node 20's `URL.canParse` refuses letters of latin1 once it is compiled.
    return new URL(url).href;
  } catch {
    return url;
  }
}

/**
 * What a ruling is about: `domain shop.example` is blocked, `retarget url https://…` leads
 * elsewhere.
 */
export function rulingKey({ kind, value, to }: Ruling): string {
  return `${to === undefined ? '' : 'retarget '}${kind} ${value}`;
}

/** What a retarget says beside its key, in JSON. */
export function retargetDetails({ to, by, since, why }: Retarget): string {
  return JSON.stringify({ to, by, since, why });
}

/** Parses the key and details of a ruling. @returns undefined for any other text */
export function parseRuling(key: string, details: string): Ruling | undefined {
  const [, retarget, kind, value] =
    /^(retarget )?(token|message|url|domain) (\S+)$/.exec(key) ?? [];
  if (kind === undefined || value === undefined) return undefined;
  if (retarget === undefined) return { kind: kind as Block['kind'], value };
  const given = details.length > MAX_DETAILS ? undefined : parseJson(details);
  if (kind === 'domain' || !object.isValid(given)) return undefined;
  const { to, by, since, why = '' } = given;
  const isWhole = text.isValid(by) && text.isValid(since) && text.isValid(why);
  return isWhole && isDestination(to)
    ? { kind: kind as Retarget['kind'], value, to, by, since, ...(why !== '' && { why }) }
    : undefined;
}

/** Whether links may be made to lead there. */
export function isDestination(url: unknown): url is string {
  return text.isValid(url) && url.length <= MAX_TARGET && isSafeUrl(url) && URL.canParse(url);
}

/** A ruling as one line of a file: its key, and for a retarget a space and its details. */
export function rulingLine(ruling: Ruling): string {
  const key = rulingKey(ruling);
  return ruling.to === undefined ? key : `${key} ${retargetDetails(ruling)}`;
}

/** Splits a line of a file into the key and the details of a ruling. */
export function splitRulingLine(line: string): [key: string, details: string] {
  const end = line.indexOf(' {');
  return end < 0 ? [line, ''] : [line.slice(0, end), line.slice(end + 1)];
}
