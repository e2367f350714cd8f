import { createDecipheriv, createHmac } from 'node:crypto';
import { bytesOfBase128, readBase128, writeBase128 } from '../lib/base128.ts';
import { DAY_SECONDS } from '../lib/days.ts';
import { hostName } from '../lib/host-name.ts';
import type { MessageFacts, TrackedLink } from './message-facts.ts';
import type { SealKeys } from './seal-keys.ts';
import { ContentsPacker, type SealedContents, unpackContents } from './sealed-contents.ts';
import {
  Authenticator,
  decrypt,
  KeyStream,
  messageKeys,
  randomNumber,
  TAG_BYTES,
} from './token-cipher.ts';

/**
 * A sealed token: `6`, then base64url of
 *
 *     1  id of the key
 *     2  day of the injection, from 1970-01-01 UTC
 *    12  message id
 *     4  random salt, one each time a message's links are sealed
 *    1+  number of the first block of the contents in the key stream of the message, base 128
 *     …  the contents, encrypted with that key stream (AES-256-CTR from 0 on)
 *    12  HMAC-SHA256, cut to 96 bits, of the name of the tracking domain (its length in two bytes,
 *        then the name in lower case and without its port) and everything before
 *
 * Keys are derived as key → day → message: HKDF gives the subkey of the day, and HMAC-SHA512 of
 * message id and salt under it the two keys of the message, of 32 bytes each: of the encryption,
 * then of the authentication. No two links of a message share a block of the key stream, so none is
 * used twice, however much mail is sent.
 *
 * Where the number of bytes is a multiple of three, an `A` follows: the last character could be `-`
 * otherwise, and mail programs leave a final `-` out of a link.
 *
 * Two forms are opened forever and no longer written. Form 4 has the position of the link instead of
 * the number of a block, and AES-256-GCM with a key and a nonce (the number) for each link. As
 * strong, it took twice as long: Node.js sets up a cipher for each. Its message key is HMAC-SHA256,
 * the tag cut to 96 bits (NIST SP 800-38D, 5.2.1.2), and the name of the domain the associated data.
 * Form 2 is like form 4, but lacks that `A`, and has a digest of the tracking domain among its
 * contents instead of associated data.
 */
/** The offsets of the fields, and the length of those that have a fixed one. */
const DAY_AT = 1;
const MESSAGE_AT = 3;
const SALT_AT = 15;
const FIXED = 19;
/**
 * The longest token: its URL must pass proxies such as nginx, which accepts request lines of 8 KB.
 */
export const MAX_TOKEN = 6_000;
/** The longest target that leaves room for everything else. */
export const MAX_SEALED_TARGET = 3_600;
/** Bytes of the number of a block, at most. */
const MAX_NUMBER_BYTES = 5;

export interface OpenedToken extends SealedContents {
  readonly messageId: string;
  readonly injectionTime: number;
  /** The given host for which the token was sealed; absent in form 2. */
  readonly host?: string;
}

/** Whether a token is of the sealed kind; it need not be valid. */
export function isSealedToken(token: string): boolean {
  return formOf(token) !== undefined;
}

type Form = '2' | '4' | '6';

function formOf(token: string): Form | undefined {
  const first = token.charAt(0);
  return first === '6' || first === '4' || first === '2' ? first : undefined;
}

/** Seals the links of one message, one after another. */
export class Sealer {
  readonly #contents: ContentsPacker;
  readonly #stream: KeyStream;
  readonly #tags: Authenticator;
  /** Everything before the number of the block. */
  readonly #header = Buffer.alloc(FIXED);
  /** Links sealed so far. */
  #links = 0;

  constructor(keys: SealKeys, message: MessageFacts) {
    const keyId = keys.sealing();
    const day = Math.floor(message.injectionTime / DAY_SECONDS);
    this.#contents = new ContentsPacker(message);
    this.#header[0] = keyId;
    this.#header.writeUInt16BE(day, DAY_AT);
    this.#header.write(message.messageId, MESSAGE_AT, 'base64url');
    this.#header.writeUInt32BE(randomNumber(), SALT_AT);
    const { encryption, authentication } = messageKeys(
      keys.subkey(keyId, day) as Buffer,
      this.#header.subarray(MESSAGE_AT, FIXED),
    );
    this.#stream = new KeyStream(encryption);
    this.#tags = new Authenticator(authentication, associated(message.domain));
  }

  /** @returns undefined for a link whose token would be too long to be opened */
  seal(link: TrackedLink): string | undefined {
    if (link.target.length > MAX_SEALED_TARGET) return undefined;
    const { block } = this.#stream;
    const contents = this.#contents.pack(
      link,
      FIXED + bytesOfBase128(block) + TAG_BYTES,
      this.#links,
    );
    const bytes = this.#tags.space(FIXED + MAX_NUMBER_BYTES + contents.length + TAG_BYTES);
    const { start } = this.#tags;
    bytes.set(this.#header, start);
    const sealed = writeBase128(block, bytes, start + FIXED);
    this.#stream.encrypt(contents, bytes, sealed);
    const end = sealed + contents.length;
    this.#tags.sign(end);
    const token = textOf('6', bytes, start, end + TAG_BYTES);
    if (token.length > MAX_TOKEN) return undefined;
    this.#links++;
    return token;
  }
}

function textOf(form: Form, bytes: Buffer, start = 0, end = bytes.length): string {
  const padding = form !== '2' && (end - start) % 3 === 0 ? 'A' : '';
  return `${form}${bytes.toString('base64url', start, end)}${padding}`;
}

function associated(domain: string): Buffer {
  return Buffer.from(hostName(domain));
}

/**
 * Opens a token.
 * @param hosts for which the token may have been sealed, in any spelling of `tracking_domain`; form
 * 2 needs none
 * @returns undefined for a token that none of the keys has sealed for one of the hosts: truncated,
 * changed, foreign, or not a token
 */
export function openToken(
  keys: SealKeys,
  token: string,
  hosts: Iterable<string>,
): OpenedToken | undefined {
  const form = formOf(token);
  if (form === undefined || token.length > MAX_TOKEN) return undefined;
  const bytes = Buffer.from(token.slice(1), 'base64url');
  // The decoder ignores spare bits and foreign characters, but a link has only one token.
  if (textOf(form, bytes) !== token) return undefined;
  const counter = readBase128(bytes, FIXED);
  if (counter === undefined || bytes.length <= counter.end + TAG_BYTES) return undefined;
  const day = bytes.readUInt16BE(DAY_AT);
  const subkey = keys.subkey(bytes[0] as number, day);
  if (subkey === undefined) return undefined;

  const open = form === '6' ? opener(subkey, bytes, counter) : gcmOpener(subkey, bytes, counter);
  const opened = (host: string | undefined) => {
    const contents = open(host);
    const unpacked = contents && unpackContents(contents, form === '2');
    return (
      unpacked && {
        ...unpacked,
        ...(form !== '6' && { position: counter.value }),
        ...(host !== undefined && { host }),
        messageId: bytes.toString('base64url', MESSAGE_AT, SALT_AT),
        injectionTime: day * DAY_SECONDS + unpacked.secondOfDay,
      }
    );
  };
  if (form === '2') return opened(undefined);
  for (const host of hosts) {
    const found = opened(host);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Gives the contents of a token for a host, or undefined where the tag does not match. */
type Opener = (host: string | undefined) => Buffer | undefined;
type Counter = NonNullable<ReturnType<typeof readBase128>>;

function opener(subkey: Buffer, bytes: Buffer, { value: block, end }: Counter): Opener {
  const { encryption, authentication } = messageKeys(subkey, bytes.subarray(MESSAGE_AT, FIXED));
  return (host = '') => {
    const isRight = new Authenticator(authentication, associated(host)).verifies(bytes);
    return isRight ? decrypt(bytes.subarray(end, -TAG_BYTES), encryption, block) : undefined;
  };
}

/** Opens forms 2 and 4. */
function gcmOpener(subkey: Buffer, bytes: Buffer, { value: number, end }: Counter): Opener {
  const key = createHmac('sha256', subkey).update(bytes.subarray(MESSAGE_AT, FIXED)).digest();
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(number, 8);
  return (host) => {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    if (host !== undefined) decipher.setAAD(associated(host));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const contents = decipher.update(bytes.subarray(end, -TAG_BYTES));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return contents;
  };
}
