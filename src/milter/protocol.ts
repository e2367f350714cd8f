/**
 * The numbers and letters of the milter protocol, versions 2 to 6. Names in comments are those of
 * libmilter's `mfdef.h` and `mfapi.h`.
 */

/** The peer does not speak the milter protocol. The connection can only be closed. */
export class ProtocolError extends Error {
  override name = 'ProtocolError';
}

/** SMFI_PROT_VERSION: the newest version this library speaks. */
export const VERSION = 6;
/** SMFI_PROT_VERSION_MIN: the oldest version this library speaks. */
export const MIN_VERSION = 2;
/**
 * MILTER_CHUNK_SIZE: the most data bytes in one packet. This library never asks for more
 * (SMFIP_MDS_*).
 */
export const MAX_DATA = 65535;

/** SMFIC_*: commands of the MTA. */
export const command = {
  abort: 0x41, // A SMFIC_ABORT
  body: 0x42, // B SMFIC_BODY
  connect: 0x43, // C SMFIC_CONNECT
  macro: 0x44, // D SMFIC_MACRO
  endOfMessage: 0x45, // E SMFIC_BODYEOB
  helo: 0x48, // H SMFIC_HELO
  quitNewConnection: 0x4b, // K SMFIC_QUIT_NC
  header: 0x4c, // L SMFIC_HEADER
  mail: 0x4d, // M SMFIC_MAIL
  endOfHeaders: 0x4e, // N SMFIC_EOH
  negotiate: 0x4f, // O SMFIC_OPTNEG
  quit: 0x51, // Q SMFIC_QUIT
  rcpt: 0x52, // R SMFIC_RCPT
  data: 0x54, // T SMFIC_DATA
  unknown: 0x55, // U SMFIC_UNKNOWN
} as const;

/** SMFIR_*: replies of the milter. */
export const reply = {
  addRecipient: 0x2b, // + SMFIR_ADDRCPT
  deleteRecipient: 0x2d, // - SMFIR_DELRCPT
  addRecipientWithArguments: 0x32, // 2 SMFIR_ADDRCPT_PAR
  shutdown: 0x34, // 4 SMFIR_SHUTDOWN
  accept: 0x61, // a SMFIR_ACCEPT
  replaceBody: 0x62, // b SMFIR_REPLBODY
  continue: 0x63, // c SMFIR_CONTINUE
  discard: 0x64, // d SMFIR_DISCARD
  changeSender: 0x65, // e SMFIR_CHGFROM
  connFail: 0x66, // f SMFIR_CONN_FAIL
  addHeader: 0x68, // h SMFIR_ADDHEADER
  insertHeader: 0x69, // i SMFIR_INSHEADER
  changeHeader: 0x6d, // m SMFIR_CHGHEADER
  progress: 0x70, // p SMFIR_PROGRESS
  quarantine: 0x71, // q SMFIR_QUARANTINE
  reject: 0x72, // r SMFIR_REJECT
  skip: 0x73, // s SMFIR_SKIP
  tempfail: 0x74, // t SMFIR_TEMPFAIL
  replyCode: 0x79, // y SMFIR_REPLYCODE
} as const;

/** SMFIF_*: modifications of a message that a milter asks to be allowed. */
export const actionFlag = {
  addHeaders: 0x001, // SMFIF_ADDHDRS
  changeBody: 0x002, // SMFIF_CHGBODY
  addRecipients: 0x004, // SMFIF_ADDRCPT
  deleteRecipients: 0x008, // SMFIF_DELRCPT
  changeHeaders: 0x010, // SMFIF_CHGHDRS
  quarantine: 0x020, // SMFIF_QUARANTINE
  changeSender: 0x040, // SMFIF_CHGFROM
  addRecipientsWithArguments: 0x080, // SMFIF_ADDRCPT_PAR
} as const;

/** SMFIF_SETSYMLIST: the milter may name the macros it wants. */
export const SETSYMLIST = 0x100;
/** All actions. Postfix and Sendmail offer all of them. */
export const ALL_ACTIONS = 0x1ff;
/** SMFI_V1_ACTS: the actions that an offer of zero stands for. */
export const V1_ACTIONS = 0x0f;
/** SMFI_V1_PROT: the protocol flags that an offer of zero stands for. */
export const V1_PROTOCOL = 0x3f;

/** SMFIP_*: stages that are not sent, stages without reply, and variations of the protocol. */
export const protocolFlag = {
  noConnect: 0x01, // SMFIP_NOCONNECT
  noHelo: 0x02, // SMFIP_NOHELO
  noMail: 0x04, // SMFIP_NOMAIL
  noRcpt: 0x08, // SMFIP_NORCPT
  noBody: 0x10, // SMFIP_NOBODY
  noHeaders: 0x20, // SMFIP_NOHDRS
  noEndOfHeaders: 0x40, // SMFIP_NOEOH
  noReplyHeader: 0x80, // SMFIP_NR_HDR
  noUnknown: 0x100, // SMFIP_NOUNKNOWN
  noData: 0x200, // SMFIP_NODATA
  skip: 0x400, // SMFIP_SKIP
  rejectedRecipients: 0x800, // SMFIP_RCPT_REJ
  noReplyConnect: 0x1000, // SMFIP_NR_CONN
  noReplyHelo: 0x2000, // SMFIP_NR_HELO
  noReplyMail: 0x4000, // SMFIP_NR_MAIL
  noReplyRcpt: 0x8000, // SMFIP_NR_RCPT
  noReplyData: 0x10000, // SMFIP_NR_DATA
  noReplyUnknown: 0x20000, // SMFIP_NR_UNKN
  noReplyEndOfHeaders: 0x40000, // SMFIP_NR_EOH
  noReplyBody: 0x80000, // SMFIP_NR_BODY
  leadingSpace: 0x100000, // SMFIP_HDR_LEADSPC
} as const;

/** All protocol flags but SMFIP_MDS_*. Postfix and Sendmail offer all of them. */
export const ALL_PROTOCOL = 0x1fffff;

/** SMFIM_*: the number of each stage in a macro request. */
export const macroStage = {
  connect: 0, // SMFIM_CONNECT
  helo: 1, // SMFIM_HELO
  mail: 2, // SMFIM_ENVFROM
  rcpt: 3, // SMFIM_ENVRCPT
  data: 4, // SMFIM_DATA
  endOfMessage: 5, // SMFIM_EOM
  endOfHeaders: 6, // SMFIM_EOH
} as const;
