import type { Block, BlockList } from './click.ts';

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
