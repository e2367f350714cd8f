import { hostname } from 'node:os';
import type { FastifyRequest } from 'fastify';
import { type Static, Type } from 'typebox';
import { formatAddress, parseAddress } from '../lib/address.ts';
import { type Detail, type Logger, shownTarget } from '../lib/logger.ts';
import { RulingRefused, type Rulings } from '../store/rulings.ts';
import type { Store } from '../store/store.ts';
import { BadRequest } from './errors.ts';
import { clientOf } from './rights.ts';

/** The parts that changes need. */
export interface ChangeSources {
  readonly store: Pick<Store, 'findMessage'>;
  readonly rulings: Pick<Rulings, 'choose' | 'block' | 'unblock' | 'retarget' | 'undoRetarget'>;
  readonly detail: () => Detail;
  readonly logger: Logger;
}

/** The changes, and the sentence that follows each. */
export const DONE = {
  block: 'Blocked: the links answer 410 Gone from the next request on.',
  unblock: 'Unblocked.',
  retarget: 'Retargeted: the links lead elsewhere from the next request on.',
  undo: 'No longer retargeted: the links lead to their own targets.',
} as const;
type Action = keyof typeof DONE;
export const ACTIONS = Object.keys(DONE) as Action[];

const optional = (maxLength: number, description: string) =>
  Type.Optional(Type.String({ maxLength, description }));

export const Change = Type.Object({
  action: Type.Enum(ACTIONS, { description: '`undo` takes back a retarget.' }),
  what: Type.String({
    maxLength: 8192,
    description: 'A tracked URL, a token, a message id, or a target.',
  }),
  position: Type.Optional(
    Type.String({
      pattern: '^([0-9]{1,6})?$',
      description: 'The place of one link, where `what` is a message id.',
    }),
  ),
  to: optional(8192, 'Where a retarget leads.'),
  why: optional(500, 'The reason for a retarget.'),
  everywhere: Type.Optional(
    Type.Enum(['on'], { description: 'All links to the same target, in all messages.' }),
  ),
  find: optional(8192, 'What the page shows afterwards.'),
});
export type Change = Static<typeof Change>;

/**
 * Blocks, unblocks or retargets links as the commands do, and logs who did it.
 * @throws BadRequest, StoreUnavailable
 */
export async function change(
  sources: ChangeSources,
  asked: Change,
  request: FastifyRequest,
): Promise<void> {
  const by = operatorOf(request);
  try {
    const named = await namedBy(sources, asked);
    const failures: RulingRefused[] = [];
    for (const what of named) {
      const failure = await apply(sources, { ...asked, what }, by).catch(unlessData);
      if (failure !== undefined) failures.push(failure);
    }
    // A link may have a token of each form, and the ruling be about one of them.
    const [first] = failures;
    if (first !== undefined && failures.length === named.length) throw first;
  } catch (error) {
    if (!(error instanceof RulingRefused)) throw error;
    throw new BadRequest(nothingToUndo(asked, sources.detail()) ?? error.message);
  }
  const { what, position, to, action } = asked;
  const about = /^[\w-]{16}$/.test(what) ? { messageId: what, position } : {};
  const target = to ? shownTarget(sources.detail(), to) : {};
  sources.logger.info({ action, by, ...about, ...target }, 'rulings changed on the page');
}

/** Replaces a refusal that names the target of a link, where targets are not shown. */
function nothingToUndo({ action, everywhere }: Change, detail: Detail): string | undefined {
  if (detail === 'full' || !everywhere) return undefined;
  if (action === 'unblock') return 'links to this target are not blocked';
  return action === 'undo' ? 'links to this target are not retargeted' : undefined;
}

function unlessData(error: unknown): RulingRefused {
  if (error instanceof RulingRefused && error.kind === 'data') return error;
  throw error;
}

/** The texts that name what is meant, for the same checks as those of the commands. */
async function namedBy(
  { store, rulings }: ChangeSources,
  { action, what, position = '', everywhere }: Change,
): Promise<readonly string[]> {
  let tokens: readonly string[] = [what];
  if (position !== '') {
    const link = (await store.findMessage(what))?.links[Number(position)];
    if (link === undefined) throw new BadRequest(`message ${what} has no link ${position}`);
    tokens = link.tokens;
  }
  if (!everywhere) return tokens;
  const [token = what] = tokens;
  // A retarget finds the target of a link by itself.
  if (action === 'retarget' || action === 'undo') return [token];
  const { resolved, kind } = await rulings.choose(token);
  if (kind === 'message') throw new BadRequest('a message is not a target: expected a link');
  return [resolved?.link.target ?? token];
}

async function apply(
  { rulings }: ChangeSources,
  { action, what, to = '', why = '', everywhere }: Change,
  by: string,
): Promise<undefined> {
  const isEverywhere = everywhere === 'on';
  switch (action) {
    case 'block':
      await rulings.block(what);
      break;
    case 'unblock':
      await rulings.unblock(what);
      break;
    case 'retarget': {
      const reason = why.trim() === '' ? undefined : why;
      await rulings.retarget({ what, to, everywhere: isEverywhere, why: reason, by });
      break;
    }
    case 'undo':
      await rulings.undoRetarget(what, isEverywhere);
  }
}

/** The author of a change: the address of the login, or the unix socket, and this host. */
function operatorOf({ raw, access }: FastifyRequest): string {
  const client = parseAddress(clientOf(raw) ?? '');
  const place = client === undefined ? '' : ` from ${formatAddress(client)}`;
  const hasLogin = access.hasBearer || access.session?.hasLogin === true;
  return `${hasLogin ? `login${place}` : 'unix socket'}, page@${hostname()}`.slice(0, 200);
}
