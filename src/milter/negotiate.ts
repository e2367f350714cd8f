import type { Action, Filter, MacroRequest } from './filter.ts';
import { frame } from './frame.ts';
import {
  actionFlag,
  command,
  MIN_VERSION,
  macroStage,
  ProtocolError,
  protocolFlag,
  SETSYMLIST,
  V1_ACTIONS,
  V1_PROTOCOL,
  VERSION,
} from './protocol.ts';
import { hookFlags } from './stage.ts';

/** MAXFILTERMACROS: the most macros per stage that Sendmail takes. */
const MAX_MACROS = 50;

/** The wishes of a filter, computed once. */
export interface Demand {
  /** SMFIF_*. */
  readonly actions: number;
  /** SMFIP_*. */
  readonly protocol: number;
  /** The macro request, as appended to the reply. It is empty if the filter names no macros. */
  readonly macros: Buffer;
}

/** The agreement between MTA and filter. */
export interface Agreement {
  readonly actions: ReadonlySet<Action>;
  /** SMFIP_*. */
  readonly protocol: number;
  /** The frame that tells the MTA (SMFIC_OPTNEG). */
  readonly reply: Buffer;
}

/**
 * Computes the wishes of a filter.
 * @throws RangeError if its macro request cannot be sent
 */
export function demandOf<State>(filter: Filter<State>): Demand {
  const macros = filter.macros ?? {};
  let protocol = protocolFlag.leadingSpace;
  for (const [hook, { leftOut, noReply }] of hookFlags) {
    if (filter[hook] !== undefined) protocol |= filter.silent?.includes(hook) ? noReply : 0;
    // MTAs send macros with their stage only, so a stage whose macros are wanted is not left out.
    else protocol |= leftOut === 0 || hook in macros ? noReply : leftOut;
  }
  const answersBody = filter.body !== undefined && !filter.silent?.includes('body');
  if (answersBody) protocol |= protocolFlag.skip;
  let actions = 0;
  for (const action of filter.actions ?? []) actions |= actionFlag[action];
  return { actions, protocol, macros: encodeMacroRequest(macros) };
}

function encodeMacroRequest(request: MacroRequest): Buffer {
  const complete = { ...request };
  // Sendmail ignores a list for the end of the message without one for the end of headers.
  const end = request.endOfMessage ?? request.endOfHeaders;
  if (end !== undefined) {
    complete.endOfMessage = end;
    complete.endOfHeaders = request.endOfHeaders ?? end;
  }
  const parts: Buffer[] = [];
  for (const stage of Object.keys(macroStage) as (keyof typeof macroStage)[]) {
    const names = complete[stage];
    // An empty list would mean the MTA's own list to Postfix, and no macros to Sendmail.
    if (names === undefined || names.length === 0) continue;
    if (names.length > MAX_MACROS) {
      throw new RangeError(
        `milter: macros.${stage}: ${names.length} names: expected at most ${MAX_MACROS}`,
      );
    }
    const number = Buffer.alloc(4);
    number.writeUInt32BE(macroStage[stage]);
    parts.push(number, Buffer.from(`${names.map((name) => braced(name, stage)).join(' ')}\0`));
  }
  return Buffer.concat(parts);
}

/** Spells a macro name as MTAs do: one letter alone, longer names in braces. */
function braced(name: string, stage: string): string {
  const bare = name.replace(/^\{(.*)\}$/, '$1');
  if (!/^[!-z|~]+$/.test(bare)) {
    throw new RangeError(
      `milter: macros.${stage}: ${JSON.stringify(name)}: expected a name such as i or {client_addr}`,
    );
  }
  return bare.length === 1 ? bare : `{${bare}}`;
}

/**
 * SMFIP_NR_DATA costs 45 ms per message over TCP: Postfix's smtpd hands the connection over to
 * cleanup, whose first packet then waits for the delayed ACK of the last one of smtpd (Nagle).
 */
const NEVER_OVER_TCP = protocolFlag.noReplyData;

/**
 * Answers SMFIC_OPTNEG: version, actions, protocol, each a 32-bit number; further bytes are
 * ignored. MTAs refuse a milter that agrees to something they did not offer.
 * @param isTcp whether the connection is not a unix socket
 */
export function negotiate(demand: Demand, payload: Buffer, isTcp: boolean): Agreement {
  if (payload.length < 12) {
    throw new ProtocolError(
      `milter: negotiate: ${payload.length} bytes: expected version, actions and protocol in 12`,
    );
  }
  const theirs = payload.readUInt32BE(0);
  if (theirs < MIN_VERSION) {
    throw new ProtocolError(
      `milter: negotiate: version ${theirs}: expected ${MIN_VERSION} or later`,
    );
  }
  const offeredActions = payload.readUInt32BE(4) || V1_ACTIONS;
  const offeredProtocol = payload.readUInt32BE(8) || V1_PROTOCOL;
  const actions = demand.actions & offeredActions;
  const protocol = demand.protocol & offeredProtocol & ~(isTcp ? NEVER_OVER_TCP : 0);
  const setsMacros = demand.macros.length > 0 && (offeredActions & SETSYMLIST) !== 0;

  const options = Buffer.alloc(12);
  options.writeUInt32BE(Math.min(theirs, VERSION), 0);
  options.writeUInt32BE(actions | (setsMacros ? SETSYMLIST : 0), 4);
  options.writeUInt32BE(protocol, 8);
  const reply = setsMacros ? Buffer.concat([options, demand.macros]) : options;
  return {
    actions: new Set(ACTIONS.filter((action) => (actions & actionFlag[action]) !== 0)),
    protocol,
    reply: frame(command.negotiate, reply),
  };
}

const ACTIONS = Object.keys(actionFlag) as Action[];
