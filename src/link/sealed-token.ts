import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { base128, readBase128 } from './base128.ts';
import type { MessageFacts, TrackedLink } from './message-facts.ts';
import type { SealKeys } from './seal-keys.ts';
import { ContentsPacker, type SealedContents, unpackContents } from './sealed-contents.ts';

/**
 * A sealed token: `2`, then base64url of
 *
 *     1  id of the key
 *     2  day of the injection, from 1970-01-01 UTC
 *    12  message id
 *     4  salt, random, one for each time a message's links are sealed
 *    1+  number of the link within the message, base 128
 *     …  AES-256-GCM of the contents, then its tag, cut to 96 bits (NIST SP 800-38D, 5.2.1.2)
 *
 * Keys go key → day → message: HKDF gives the day's subkey, HMAC-SHA256 of message id and salt under it the message's
 * key. The nonce is the link's number, so none is ever used twice under one key, however much mail is sent; and nothing
 * of the clear part can be changed without the key or the nonce changing with it.
 */
const FIXED = 1 + 2 + 12 + 4;
const TAG_BYTES = 12;
const DAY = 86_400;
/** The longest token there is: its URL must get through proxies, of which nginx takes request lines of 8 KB. */
export const MAX_TOKEN = 6_000;
/** The longest target that leaves room for all else; a longer one is refused when it is to be sealed. */
export const MAX_TARGET = 3_600;
const CIPHER = 'aes-256-gcm';

export interface OpenedToken extends SealedContents {
  readonly messageId: string;
  readonly injectionTime: number;
}

/** Whether a token is of the sealed kind; it need not be a valid one. */
export function isSealedToken(token: string): boolean {
  return token.startsWith('2');
}

/** Seals the links of one message, one after another. */
export class Sealer {
  readonly #contents: ContentsPacker;
  readonly #header = Buffer.alloc(FIXED);
  readonly #key: Buffer;
  #links = 0;

  constructor(keys: SealKeys, message: MessageFacts) {
    const keyId = keys.sealing();
    const day = Math.floor(message.injectionTime / DAY);
    this.#contents = new ContentsPacker(message);
    this.#header[0] = keyId;
    this.#header.writeUInt16BE(day, 1);
    this.#header.write(message.messageId, 3, 'base64url');
    randomBytes(4).copy(this.#header, 15);
    this.#key = messageKey(keys.subkey(keyId, day) as Buffer, this.#header);
  }

  /** @throws RangeError for a target of more than 3,600 characters */
  seal(link: TrackedLink): string {
    if (link.target.length > MAX_TARGET) {
      throw new RangeError(
        `a target of ${link.target.length} characters; a sealed link takes ${MAX_TARGET} at most`,
      );
    }
    const number = this.#links++;
    const counter = base128(number);
    const contents = this.#contents.pack(link, FIXED + counter.length + TAG_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, nonce(number), { authTagLength: TAG_BYTES });
    const sealed = cipher.update(contents);
    // In this mode nothing is left over; the tag needs it.
    cipher.final();
    const bytes = Buffer.concat([this.#header, counter, sealed, cipher.getAuthTag()]);
    return `2${bytes.toString('base64url')}`;
  }
}

/** @returns undefined for a token that no key of these has sealed: truncated, changed, foreign, or no token at all */
export function openToken(keys: SealKeys, token: string): OpenedToken | undefined {
  if (token.length > MAX_TOKEN) return undefined;
  const bytes = Buffer.from(token.slice(1), 'base64url');
  // The decoder is lenient (bits that are left over, foreign characters): one link has one token only.
  if (`2${bytes.toString('base64url')}` !== token) return undefined;
  const counter = readBase128(bytes, FIXED);
  if (counter === undefined || bytes.length <= counter.end + TAG_BYTES) return undefined;
  const day = bytes.readUInt16BE(1);
  const subkey = keys.subkey(bytes[0] as number, day);
  if (subkey === undefined) return undefined;

  const key = messageKey(subkey, bytes);
  const opener = createDecipheriv(CIPHER, key, nonce(counter.value), { authTagLength: TAG_BYTES });
  opener.setAuthTag(bytes.subarray(-TAG_BYTES));
  const contents = opener.update(bytes.subarray(counter.end, -TAG_BYTES));
  try {
    opener.final();
  } catch {
    return undefined;
  }
  const unpacked = unpackContents(contents);
  return (
    unpacked && {
      ...unpacked,
      messageId: bytes.toString('base64url', 3, 15),
      injectionTime: day * DAY + unpacked.secondOfDay,
    }
  );
}

function messageKey(subkey: Buffer, header: Buffer): Buffer {
  return createHmac('sha256', subkey).update(header.subarray(3, FIXED)).digest();
}

function nonce(number: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32BE(number, 8);
  return bytes;
}
