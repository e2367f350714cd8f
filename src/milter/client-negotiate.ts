import { frame } from './frame.ts';
import {
  ALL_ACTIONS,
  ALL_PROTOCOL,
  command,
  macroStage,
  V1_ACTIONS,
  V1_PROTOCOL,
  VERSION,
} from './protocol.ts';
import { ProtocolError } from './protocol-error.ts';

export interface Offer {
  /** Default 6. */
  readonly version?: number;
  /** SMFIF_*; default 0x1ff. */
  readonly actions?: number;
  /** SMFIP_*; default 0x1fffff. */
  readonly protocol?: number;
}

export type MacroStage = keyof typeof macroStage;

/** What was agreed: the milter's reply to the offer. */
export interface ClientAgreement {
  readonly version: number;
  readonly actions: number;
  readonly protocol: number;
  /** The milter's macro request; a stage it did not name is absent. */
  readonly macros: { readonly [stage in MacroStage]?: readonly string[] };
}

/** SMFIC_OPTNEG with that offer. */
export function encodeOffer({
  version = VERSION,
  actions = ALL_ACTIONS,
  protocol = ALL_PROTOCOL,
}: Offer): Buffer {
  const payload = Buffer.alloc(12);
  payload.writeUInt32BE(version, 0);
  payload.writeUInt32BE(actions >>> 0, 4);
  payload.writeUInt32BE(protocol >>> 0, 8);
  return frame(command.negotiate, payload);
}

/** The milter's reply to that offer. Throws where it agrees to what was not offered, as Sendmail would. */
export function decodeAgreement(
  received: { readonly command: number; readonly payload: Buffer },
  { version = VERSION, actions = ALL_ACTIONS, protocol = ALL_PROTOCOL }: Offer,
): ClientAgreement {
  const { command: letter, payload } = received;
  if (letter !== command.negotiate || payload.length < 12) {
    throw new ProtocolError('milter client: negotiate: expected O with at least 12 bytes');
  }
  const agreed = {
    version: payload.readUInt32BE(0),
    actions: payload.readUInt32BE(4),
    protocol: payload.readUInt32BE(8),
    macros: decodeMacroRequest(payload.subarray(12)),
  };
  const unoffered =
    (agreed.actions & ~(actions || V1_ACTIONS)) | (agreed.protocol & ~(protocol || V1_PROTOCOL));
  if (unoffered !== 0 || agreed.version > version) {
    throw new ProtocolError('milter client: negotiate: the milter agreed to what was not offered');
  }
  return agreed;
}

function decodeMacroRequest(payload: Buffer): ClientAgreement['macros'] {
  const macros: Partial<Record<MacroStage, readonly string[]>> = {};
  const stages = Object.keys(macroStage) as MacroStage[];
  for (let at = 0; at + 4 < payload.length; ) {
    const number = payload.readUInt32BE(at);
    const end = payload.indexOf(0, at + 4);
    if (end < 0) throw new ProtocolError('milter client: negotiate: expected NUL after macros');
    const stage = stages.find((each) => macroStage[each] === number);
    const names = payload.toString('latin1', at + 4, end);
    if (stage !== undefined) macros[stage] = names === '' ? [] : names.split(' ');
    at = end + 1;
  }
  return macros;
}
