import type { SmtpapiHeader } from '../scope/decide.ts';

export interface SmtpapiLimits {
  /** Bytes of the metadata's JSON; `max_metadata_len`. */
  readonly maxMetadataLen: number;
}

/**
 * Reads and validates the values of a message's X-MSYS-API headers (raw: folds included).
 * @returns what they ask for, or the reply the message is rejected with
 */
export function parseSmtpapi(
  _values: readonly string[],
  _limits: SmtpapiLimits,
): { readonly header: SmtpapiHeader } | { readonly reject: string } {
  throw new Error('not yet');
}
