import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { base128, readBase128 } from '../lib/base128.ts';
import { hostName } from '../lib/host-name.ts';
import type { MessageFacts, TrackedLink } from './facts.ts';
import type { SealKeys } from './seal-keys.ts';
import { ContentsPacker, type SealedContents, unpackContents } from './sealed-contents.ts';

/**
 * A sealed token: `4`, then base64url of
 *
 *     1  id of the key
 *     2  day of the injection, from 1970-01-01 UTC
 *    12  message id
 *     4  random salt, one each time a message's links are sealed
 *    1+  number of the link within the message, base 128
 *     …  AES-256-GCM of the contents, then its tag, cut to 96 bits (NIST SP 800-38D, 5.2.1.2); the
 *        name of the tracking domain, in lower case and without its port, is the associated data
 *
 * Keys are derived as key → day → message: HKDF gives the subkey of the day, and HMAC-SHA256 of
 * message id and salt under it the key of the message. The nonce is the number of the link, so no
 * nonce is used twice under one key, however much mail is sent. A change of the clear part changes
 * the key or the nonce.
 *
 * Where the number of bytes is a multiple of three, an `A` follows: the last character could be `-`
 * otherwise, and mail programs leave a final `-` out of a link.
 *
 * Form 2 is opened forever and no longer written. It lacks that `A`, and has a digest of the
 * tracking domain among its contents instead of associated data.
 */
const FIXED = 1 + 2 + 12 + 4;
const TAG_BYTES = 12;
const DAY = 86_400;
/**
 * The longest token: its URL must pass proxies such as nginx, which accepts request lines of 8 KB.
 */
export const MAX_TOKEN = 6_000;
/** The longest target that leaves room for everything else. */
export const MAX_TARGET = 3_600;
const CIPHER = 'aes-256-gcm';

export interface OpenedToken extends SealedContents {
  readonly messageId: string;
  readonly injectionTime: number;
  /** The given host for which the token was sealed; absent in form 2. */
  readonly host?: string;
}

/** Whether a token is of the sealed kind; it need not be valid. */
export function isSealedToken(token: string): boolean {
  return token.startsWith('4') || token.startsWith('2');
}

/** Seals the links of one message, one after another. */
export class Sealer {
  readonly #contents: ContentsPacker;
  readonly #header = Buffer.alloc(FIXED);
  readonly #key: Buffer;
  readonly #host: Buffer;
  #links = 0;

  constructor(keys: SealKeys, message: MessageFacts) {
    const keyId = keys.sealing();
    const day = Math.floor(message.injectionTime / DAY);
    this.#host = associated(message.domain);
    this.#contents = new ContentsPacker(message);
    this.#header[0] = keyId;
    this.#header.writeUInt16BE(day, 1);
    this.#header.write(message.messageId, 3, 'base64url');
    randomBytes(4).copy(this.#header, 15);
    this.#key = messageKey(keys.subkey(keyId, day) as Buffer, this.#header);
  }

  /** @returns undefined for a link whose token would be too long to be opened */
  seal(link: TrackedLink): string | undefined {
    if (link.target.length > MAX_TARGET) return undefined;
    const number = this.#links++;
    const counter = base128(number);
    const contents = this.#contents.pack(link, FIXED + counter.length + TAG_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, nonce(number), { authTagLength: TAG_BYTES });
    cipher.setAAD(this.#host);
    const sealed = cipher.update(contents);
    // In this mode `final` returns nothing; the tag needs the call.
    cipher.final();
    const bytes = Buffer.concat([this.#header, counter, sealed, cipher.getAuthTag()]);
    const token = textOf(bytes);
    return token.length > MAX_TOKEN ? undefined : token;
  }
}

function textOf(bytes: Buffer): string {
  return `4${bytes.toString('base64url')}${bytes.length % 3 === 0 ? 'A' : ''}`;
}

function associated(domain: string): Buffer {
  return Buffer.from(hostName(domain));
}

/**
 * Opens a token.
 * @param hosts for which the token may have been sealed, in any spelling of `tracking_domain`; form
 * 2 needs none
 * @returns undefined for a token that none of the keys has sealed for one of the hosts: truncated,
 * changed, foreign, or
 *   not a token
 */
export function openToken(
  keys: SealKeys,
  token: string,
  hosts: Iterable<string>,
): OpenedToken | undefined {
  if (token.length > MAX_TOKEN) return undefined;
  const form = token.startsWith('4') ? 4 : 2;
  const bytes = Buffer.from(token.slice(1), 'base64url');
  // The decoder ignores spare bits and foreign characters, but a link has only one token.
  if ((form === 4 ? textOf(bytes) : `2${bytes.toString('base64url')}`) !== token) return undefined;
  const counter = readBase128(bytes, FIXED);
  if (counter === undefined || bytes.length <= counter.end + TAG_BYTES) return undefined;
  const day = bytes.readUInt16BE(1);
  const subkey = keys.subkey(bytes[0] as number, day);
  if (subkey === undefined) return undefined;

  const key = messageKey(subkey, bytes);
  const sealed = bytes.subarray(counter.end, -TAG_BYTES);
  const tag = bytes.subarray(-TAG_BYTES);
  const open = (host: string | undefined) => {
    const contents = decrypt(key, nonce(counter.value), sealed, tag, host);
    const unpacked = contents && unpackContents(contents, form === 2);
    return (
      unpacked && {
        ...unpacked,
        ...(host !== undefined && { host }),
        messageId: bytes.toString('base64url', 3, 15),
        injectionTime: day * DAY + unpacked.secondOfDay,
      }
    );
  };
  if (form === 2) return open(undefined);
  for (const host of hosts) {
    const opened = open(host);
    if (opened !== undefined) return opened;
  }
  return undefined;
}

/** @returns undefined where the tag does not match */
function decrypt(
  key: Buffer,
  iv: Buffer,
  sealed: Buffer,
  tag: Buffer,
  host: string | undefined,
): Buffer | undefined {
  const opener = createDecipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES });
  if (host !== undefined) opener.setAAD(associated(host));
  opener.setAuthTag(tag);
  const contents = opener.update(sealed);
  try {
    opener.final();
  } catch {
    return undefined;
  }
  return contents;
}

function messageKey(subkey: Buffer, header: Buffer): Buffer {
  return createHmac('sha256', subkey).update(header.subarray(3, FIXED)).digest();
}

function nonce(number: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32BE(number, 8);
  return bytes;
}
