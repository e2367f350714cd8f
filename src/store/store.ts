import type { ResolvedLink } from '../link/link-store.ts';

/** Why a link answers 410. */
export interface Block {
  readonly kind: 'token' | 'message' | 'url' | 'domain';
  readonly value: string;
}

/** Links an operator has switched off. */
export interface BlockList {
  /**
   * At once where that is possible.
   * @throws StoreUnavailable when the answer cannot be known now
   */
  find(token: string, resolved: ResolvedLink): Block | undefined | Promise<Block | undefined>;
}

/**
 * A block list, and what `block` and `unblock` do to it. A change counts from the next request on, on every node that
 * shares it.
 */
export interface EditableBlockList extends BlockList {
  /** @returns false where it was there already */
  add(block: Block): Promise<boolean>;
  /** @returns false where there was none */
  remove(block: Block): Promise<boolean>;
  all(): Promise<readonly Block[]>;
}

/** Messages and links sent: the denominators of reports. Must never make the mail wait. */
export interface SentCounter {
  sent(message: { day: string; campaign?: string; pathway?: string; links: number }): void;
}
