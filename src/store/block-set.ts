import type { ResolvedLink } from '../link/link-store.ts';
import type { Block } from './store.ts';

/** Characters of the longest name in DNS (RFC 1035 §2.3.4): no blocked domain is longer. */
const MAX_DOMAIN = 253;

/** The blocks of an operator, to be searched for each link. */
export class BlockSet {
  readonly #blocks: ReadonlyMap<string, Block>;

  constructor(blocks: Iterable<Block>) {
    this.#blocks = new Map(
      [...blocks].map((block) => {
        const { kind, value } = block;
        return [blockKey(kind === 'url' ? { kind, value: browserUrl(value) } : block), block];
      }),
    );
  }

  /**
   * Finds a block of a link: of its token, its message, its target in any spelling, or the target's
   * domain or a domain above it.
   */
  find(token: string, { link, message }: ResolvedLink): Block | undefined {
    if (this.#blocks.size === 0) return undefined;
    return (
      this.#get('token', token) ??
      this.#get('message', message.messageId) ??
      this.#get('url', browserUrl(link.target)) ??
      this.#findDomain(link.target)
    );
  }

  #findDomain(target: string): Block | undefined {
    if (!URL.canParse(target)) return undefined;
    const host = new URL(target).hostname.replace(/\.$/, '');
    let block = this.#get('domain', host);
    // A sender may write a host of thousands of labels, and each look-up hashes what is left of it.
    let dot = host.indexOf('.', Math.max(0, host.length - MAX_DOMAIN - 1));
    while (block === undefined && dot >= 0) {
      block = this.#get('domain', host.slice(dot + 1));
      dot = host.indexOf('.', dot + 1);
    }
    return block;
  }

  #get(kind: Block['kind'], value: string): Block | undefined {
    return this.#blocks.get(blockKey({ kind, value }));
  }
}

/**
 * Spells a URL as browsers do, whether it comes from an address bar, an event or a mail; other
 * texts stay unchanged.
 */
export function browserUrl(text: string): string {
  try {
    return new URL(text).href; // Node 20's `URL.canParse` refuses letters of latin1 once it is compiled
  } catch {
    return text;
  }
}

/** The text of a block: `domain shop.example`. */
export function blockKey({ kind, value }: Block): string {
  return `${kind} ${value}`;
}

/** Parses the text of a block. @returns undefined for any other text */
export function parseBlock(text: string): Block | undefined {
  const [, kind, value] = /^(token|message|url|domain) (\S+)$/.exec(text) ?? [];
  return kind === undefined || value === undefined
    ? undefined
    : { kind: kind as Block['kind'], value };
}
