/**
 * `clickmilter/events`: the types of click events, and the signature of the webhook that posts
 * them. docs/events.md has a receiver. The JSON schema of an event is
 * `clickmilter/events/schema.json`.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

export type { AutomationReason } from '../link/automation-reasons.ts';
export type { ClickEvent, TrackEvent } from '../link/click-facts.ts';

/** Options of `verifySignature`. */
export interface VerifyOptions {
  /**
   * How many seconds a signature may be older or newer than `now`; default 300. An older one may be
   * a replayed request.
   */
  readonly toleranceSeconds?: number;
  /** The time of the receiver in Unix milliseconds; default `Date.now()`. */
  readonly now?: number;
}

/** `t=SECONDS,v1=HEX`; a later version may append other signatures. */
const SIGNATURE = /^t=(\d{1,15}),v1=([0-9a-f]{64})(?:,|$)/;

/**
 * Makes the value of the header X-Clickmilter-Signature, `t=SECONDS,v1=HEX`: an HMAC-SHA-256 over
 * the seconds, a dot and the body. The webhook signs with it; receivers can use it to test
 * themselves.
 * @param body the body of the request, before it is parsed
 * @param secret `webhook_secret` of the configuration
 * @param seconds the time of the signature in Unix seconds
 */
export function signature(body: string | Uint8Array, secret: string, seconds: number): string {
  return `t=${seconds},v1=${macOf(body, secret, `${seconds}`).toString('hex')}`;
}

/**
 * Checks that a request comes from a webhook of clickmilter that knows the secret, and was signed
 * within the last minutes. The comparison takes the same time for every wrong signature.
 * @param header the value of the header X-Clickmilter-Signature, as `request.headers` of Node.js
 * has it
 * @param body the body of the request, byte for byte, before it is parsed
 * @param secret `webhook_secret` of the configuration
 * @returns false also where the header is missing or malformed
 * @throws TypeError where the secret is empty, because anybody could sign with it
 */
export function verifySignature(
  header: string | readonly string[] | null | undefined,
  body: string | Uint8Array,
  secret: string,
  { toleranceSeconds = 300, now = Date.now() }: VerifyOptions = {},
): boolean {
  if (!secret) throw new TypeError('verifySignature: secret is empty: expected webhook_secret');
  const [, seconds, hex] = (typeof header === 'string' && SIGNATURE.exec(header)) || [];
  if (seconds === undefined || hex === undefined) return false;
  const isRight = timingSafeEqual(macOf(body, secret, seconds), Buffer.from(hex, 'hex'));
  return isRight && Math.abs(now / 1000 - Number(seconds)) <= toleranceSeconds;
}

/** @param seconds as the header has them */
function macOf(body: string | Uint8Array, secret: string, seconds: string): Buffer {
  return createHmac('sha256', secret).update(`${seconds}.`).update(body).digest();
}
