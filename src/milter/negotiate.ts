import type { Action, Filter, Hook, MacroRequest } from './filter.ts';
import { frame } from './frame.ts';
import {
  actionFlag,
  command,
  MIN_VERSION,
  macroStage,
  protocolFlag,
  SETSYMLIST,
  V1_ACTIONS,
  V1_PROTOCOL,
  VERSION,
} from './protocol.ts';
import { ProtocolError } from './protocol-error.ts';

/** MAXFILTERMACROS: more macros a stage Sendmail does not take. */
const MAX_MACROS = 50;

/** What a filter wants of an MTA, worked out once. */
export interface Demand {
  /** SMFIF_*. */
  readonly actions: number;
  /** SMFIP_*. */
  readonly protocol: number;
  /** The macro request as appended to the reply; empty where the MTA's lists will do. */
  readonly macros: Buffer;
}

/** What MTA and filter have agreed on. */
export interface Agreement {
  readonly actions: ReadonlySet<Action>;
  /** SMFIP_*. */
  readonly protocol: number;
  /** The frame that tells the MTA. */
  readonly reply: Buffer;
}

/** Stages that can be left out: their hook, SMFIP_NO*, SMFIP_NR_*. MAIL is where a message begins, and always asked for. */
const STAGES = [
  ['connect', protocolFlag.noConnect, protocolFlag.noReplyConnect],
  ['helo', protocolFlag.noHelo, protocolFlag.noReplyHelo],
  ['mail', 0, protocolFlag.noReplyMail],
  ['rcpt', protocolFlag.noRcpt, protocolFlag.noReplyRcpt],
  // SMFIP_NODATA and SMFIP_NR_DATA cost 45 ms a message with Postfix over TCP (Nagle meets delayed ACK).
  ['data', 0, 0],
  ['header', protocolFlag.noHeaders, protocolFlag.noReplyHeader],
  ['endOfHeaders', protocolFlag.noEndOfHeaders, protocolFlag.noReplyEndOfHeaders],
  ['body', protocolFlag.noBody, protocolFlag.noReplyBody],
  ['unknown', protocolFlag.noUnknown, protocolFlag.noReplyUnknown],
] as const satisfies readonly (readonly [Hook, number, number])[];

/** Throws a RangeError where the filter's macro request could not be sent. */
export function demandOf<State>(filter: Filter<State>): Demand {
  const macros = filter.macros ?? {};
  let protocol = protocolFlag.leadingSpace;
  for (const [hook, leftOut, noReply] of STAGES) {
    // A stage whose macros are wanted must happen, though nobody has an opinion on it.
    const wanted = (macros as Partial<Record<Hook, unknown>>)[hook] !== undefined;
    if (filter[hook] !== undefined) protocol |= filter.silent?.includes(hook) ? noReply : 0;
    else protocol |= wanted || leftOut === 0 ? noReply : leftOut;
  }
  const asksBody = filter.body !== undefined && !filter.silent?.includes('body');
  if (asksBody) protocol |= protocolFlag.skip;
  let actions = 0;
  for (const action of filter.actions ?? []) actions |= actionFlag[action];
  return { actions, protocol, macros: encodeMacroRequest(macros) };
}

function encodeMacroRequest(request: MacroRequest): Buffer {
  const complete = { ...request };
  // Sendmail heeds a list for end of message only if there is one for end of headers.
  const end = request.endOfMessage ?? request.endOfHeaders;
  if (end !== undefined) {
    complete.endOfMessage = end;
    complete.endOfHeaders = request.endOfHeaders ?? end;
  }
  const parts: Buffer[] = [];
  for (const stage of Object.keys(macroStage) as (keyof typeof macroStage)[]) {
    const names = complete[stage];
    // An empty list would mean the MTA's own on Postfix, and none on Sendmail.
    if (names === undefined || names.length === 0) continue;
    if (names.length > MAX_MACROS) {
      throw new RangeError(
        `milter: macros.${stage}: ${names.length} names: expected at most ${MAX_MACROS}`,
      );
    }
    const number = Buffer.alloc(4);
    number.writeUInt32BE(macroStage[stage]);
    parts.push(number, Buffer.from(`${names.map((name) => spelt(name, stage)).join(' ')}\0`));
  }
  return Buffer.concat(parts);
}

function spelt(name: string, stage: string): string {
  const bare = name.replace(/^\{(.*)\}$/, '$1');
  if (!/^[!-z|~]+$/.test(bare)) {
    throw new RangeError(
      `milter: macros.${stage}: ${JSON.stringify(name)}: expected a name such as i or {client_addr}`,
    );
  }
  return bare.length === 1 ? bare : `{${bare}}`;
}

/** SMFIC_OPTNEG: version, actions, protocol; what follows is ignored. Never agrees to what was not offered. */
export function negotiate(demand: Demand, payload: Buffer): Agreement {
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
  const protocol = demand.protocol & offeredProtocol;
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
