import { isPrintableAscii } from '../lib/text.ts';
import { leadsBack } from '../link/destination.ts';
import { MAX_TARGET } from '../link/fact.ts';
import { findLink, linkNotFound, parseLinkArgument } from '../link/link-argument.ts';
import type { LinkResolver, ResolvedLink } from '../link/link-store.ts';
import { browserUrl, isDestination, rulingKey } from './block-set.ts';
import type { Block, EditableBlockList, Retarget } from './store.ts';

/** The links that a text names. */
export interface ChosenLinks {
  readonly kind: 'token' | 'message' | 'url';
  readonly value: string;
  /** The link of a token. */
  readonly resolved?: ResolvedLink;
}

/** A retarget as an operator asks for it. */
export interface RetargetRequest {
  /** The links; see `choose`. */
  readonly what: string;
  readonly to: string;
  /** Whether all links to the same target are meant, in all messages. */
  readonly everywhere?: boolean | undefined;
  readonly why?: string | undefined;
  readonly by: string;
}

/** The links that operators may name, in sentences. */
export const WHAT = 'a tracked URL, a token, a message id, or a target URL';

/** A change that is refused: the request is wrong (`usage`), or does not fit what there is. */
export class RulingRefused extends Error {
  override readonly name = 'RulingRefused';
  readonly kind: 'usage' | 'data';

  constructor(kind: 'usage' | 'data', message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Retargets that the list may have: every process of the redirect endpoint keeps a copy. */
const MAX_RETARGETS = 10_000;
/** Characters of the longest reason. */
const MAX_WHY = 500;

/** The sources that changes of rulings read. */
export interface RulingSources {
  readonly resolver: LinkResolver;
  readonly blocks: EditableBlockList;
  /** The hosts of tracked links, to which no link may lead. */
  readonly trackingHosts: () => ReadonlySet<string>;
  /** Takes a sentence about how a text was understood. */
  readonly note?: (sentence: string) => void;
}

/**
 * Changes what operators have decided about links, for the commands and the page: the same checks
 * for both. Each method throws RulingRefused, or StoreUnavailable.
 */
export class Rulings {
  readonly #resolver: LinkResolver;
  readonly #blocks: EditableBlockList;
  readonly #trackingHosts: () => ReadonlySet<string>;
  readonly #note: (sentence: string) => void;

  constructor({ resolver, blocks, trackingHosts, note = () => {} }: RulingSources) {
    this.#resolver = resolver;
    this.#blocks = blocks;
    this.#trackingHosts = trackingHosts;
    this.#note = note;
  }

  /** Finds the links that a text names. A URL that looks like a tracked link may be a target. */
  async choose(what: string): Promise<ChosenLinks> {
    const argument = parseLinkArgument(what);
    if (argument === undefined) throw new RulingRefused('usage', `"${what}": expected ${WHAT}`);
    if (argument.kind === 'message') return { kind: 'message', value: argument.messageId };
    if (argument.kind === 'url') return { kind: 'url', value: browserUrl(argument.url) };
    const { token, host } = argument;
    const resolved = await findLink(this.#resolver, argument);
    if (resolved !== undefined) return { kind: 'token', value: token, resolved };
    if (host === undefined) throw new RulingRefused('data', linkNotFound(token));
    this.#note('not one of our tracked links; taking it as a target URL');
    return { kind: 'url', value: browserUrl(what) };
  }

  /**
   * Blocks a domain, or the links that a text names.
   * @returns the block, and whether it is new
   */
  async block(what: string | Block): Promise<{ readonly block: Block; readonly isNew: boolean }> {
    const { kind, value } = typeof what === 'string' ? await this.choose(what) : what;
    const block: Block = { kind, value };
    return { block, isNew: await this.#blocks.add(block) };
  }

  /** Unblocks a domain, or links: by their text in the list, or else by what the text names. */
  async unblock(what: string | Block): Promise<Block> {
    const { kind, value } = typeof what === 'string' ? await this.#listedOrChosen(what) : what;
    const block: Block = { kind, value };
    if (await this.#blocks.remove(block)) return block;
    throw new RulingRefused('data', `not blocked: ${rulingKey(block)}`);
  }

  async #listedOrChosen(what: string): Promise<Block | ChosenLinks> {
    const keys = possibleKeys(what);
    const listed = (await this.blocks()).find((one) => keys.includes(rulingKey(one)));
    return listed ?? this.choose(what);
  }

  /** @returns the retarget, and the one of the same links that it replaces */
  async retarget({ what, to: text, everywhere, why, by }: RetargetRequest) {
    if ((why?.length ?? 0) > MAX_WHY) {
      throw new RulingRefused('usage', `the reason: expected at most ${MAX_WHY} characters`);
    }
    const { kind, value, resolved } = await this.#chooseToRetarget(what, everywhere);
    const to = this.#asDestination(text, resolved);
    const all = await this.retargets();
    const ruling: Retarget = { kind, value, to, by, since: new Date().toISOString(), why };
    const before = all.find((one) => rulingKey(one) === rulingKey(ruling));
    if (before === undefined && all.length >= MAX_RETARGETS) {
      throw new RulingRefused(
        'data',
        `there are ${all.length} retargets already: expected fewer; undo some of them first`,
      );
    }
    await this.#blocks.add(ruling);
    return { ruling, before };
  }

  /** Lets links lead to their own targets again. */
  async undoRetarget(what: string, everywhere?: boolean): Promise<Retarget> {
    const all = await this.retargets();
    const named = (keys: readonly string[]) =>
      all.find(({ kind, value }) => keys.includes(`${kind} ${value}`));
    let found = everywhere ? undefined : named(possibleKeys(what));
    if (found === undefined) {
      const { kind, value } = await this.#chooseToRetarget(what, everywhere);
      found = named([`${kind} ${value}`]);
      if (found === undefined) {
        throw new RulingRefused('data', `not retargeted: ${kind} ${value}`);
      }
    }
    await this.#blocks.remove(found);
    return found;
  }

  async blocks(): Promise<readonly Block[]> {
    return (await this.#blocks.all()).filter((ruling) => ruling.to === undefined);
  }

  async retargets(): Promise<readonly Retarget[]> {
    return (await this.#blocks.all()).filter((ruling) => ruling.to !== undefined);
  }

  async #chooseToRetarget(what: string, everywhere = false): Promise<ChosenLinks> {
    const found = await this.choose(what);
    if (found.kind === 'url' && !everywhere) {
      throw new RulingRefused(
        'usage',
        `"${what}" is a target: confirm that all links to it are meant (--everywhere)`,
      );
    }
    if (found.kind === 'message' && everywhere) {
      throw new RulingRefused(
        'usage',
        `"${what}" is a message: expected a link or a target to mean links everywhere`,
      );
    }
    const { resolved } = found;
    return everywhere && resolved !== undefined
      ? { kind: 'url', value: browserUrl(resolved.link.target), resolved }
      : found;
  }

  #asDestination(text: string, resolved: ResolvedLink | undefined): string {
    const to = isPrintableAscii(text) ? text : browserUrl(text);
    if (/\p{Cc}/u.test(text) || !isDestination(to)) {
      throw new RulingRefused(
        'usage',
        `"${text}": expected an http or https URL of at most ${MAX_TARGET} characters`,
      );
    }
    if (leadsBack(to, this.#trackingHosts(), resolved)) {
      throw new RulingRefused(
        'usage',
        `"${text}" leads to a tracking domain: expected the page that readers are to see`,
      );
    }
    return to;
  }
}

/**
 * The keys of the rulings that an argument may name by its text alone: its link may be gone by now,
 * or the text may be spelt by hand.
 */
function possibleKeys(what: string): readonly string[] {
  const argument = parseLinkArgument(what);
  return [
    ...(argument?.kind === 'token' ? [`token ${argument.token}`] : []),
    ...(argument?.kind === 'message' ? [`message ${argument.messageId}`] : []),
    `url ${what}`,
    `url ${browserUrl(what)}`,
  ];
}
