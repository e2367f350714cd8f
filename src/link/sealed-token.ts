import {
  type Cipher,
  createCipheriv,
  createDecipheriv,
  createHmac,
  hash,
  randomFillSync,
  timingSafeEqual,
} from 'node:crypto';
import { bytesOfBase128, readBase128, writeBase128 } from '../lib/base128.ts';
import { hostName } from '../lib/host-name.ts';
import type { MessageFacts, TrackedLink } from './facts.ts';
import type { SealKeys } from './seal-keys.ts';
import { ContentsPacker, type SealedContents, unpackContents } from './sealed-contents.ts';

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
 * the number of a block, and AES-256-GCM with a key and a nonce (the number) for each link. As strong, it
 * took twice as long: Node.js sets up a cipher for each. Its message key is HMAC-SHA256, the
 * tag cut to 96 bits (NIST SP 800-38D, 5.2.1.2), and the name of the domain the associated data.
 * Form 2 is like form 4, but lacks that `A`, and has a digest of the tracking domain among its
 * contents instead of associated data.
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
const BLOCK = 16;
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
  return /^[642]/.test(token);
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
    const day = Math.floor(message.injectionTime / DAY);
    this.#contents = new ContentsPacker(message);
    this.#header[0] = keyId;
    this.#header.writeUInt16BE(day, 1);
    this.#header.write(message.messageId, 3, 'base64url');
    this.#header.writeUInt32BE(randomNumber(), 15);
    const { encryption, authentication } = messageKeys(
      keys.subkey(keyId, day) as Buffer,
      this.#header,
    );
    this.#stream = new KeyStream(encryption);
    this.#tags = new Authenticator(authentication, message.domain);
  }

  /** @returns undefined for a link whose token would be too long to be opened */
  seal(link: TrackedLink): string | undefined {
    if (link.target.length > MAX_TARGET) return undefined;
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
    write(this.#tags.tag(end), bytes, end);
    const token = textOf('6', bytes, start, end + TAG_BYTES);
    if (token.length > MAX_TOKEN) return undefined;
    this.#links++;
    return token;
  }
}

/** The key stream of one message, taken block by block. */
class KeyStream {
  /** The number of the next block. */
  block = 0;
  readonly #cipher: Cipher;
  #bytes: Buffer = ZEROS.subarray(0, 0);
  #at = 0;
  #size = LEAST_BYTES;

  constructor(key: Buffer) {
    this.#cipher = createCipheriv('aes-256-ctr', key, counterOf(0));
  }

  /** Makes more of the key stream, at least so many bytes. */
  #refill(least: number): void {
    this.#size = Math.min(2 * this.#size, ZEROS.length);
    const zeros = least > this.#size ? Buffer.alloc(least) : ZEROS.subarray(0, this.#size);
    // The encryption of zeros is the key stream. A call for many links costs as much as for one.
    const more = this.#cipher.update(zeros);
    this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), more]);
    this.#at = 0;
  }

  /** Writes the encrypted contents to an offset of `into`. */
  encrypt(contents: Buffer, into: Buffer, offset: number): void {
    const blocks = Math.ceil(contents.length / BLOCK);
    if (this.#bytes.length - this.#at < blocks * BLOCK) this.#refill(blocks * BLOCK);
    for (let i = 0; i < contents.length; i++) {
      into[offset + i] = (contents[i] as number) ^ (this.#bytes[this.#at + i] as number);
    }
    this.#at += blocks * BLOCK;
    this.block += blocks;
  }
}

/** Bytes of the key stream that are made at a time: those of some ten links, then more and more. */
const LEAST_BYTES = 1024;
const ZEROS = Buffer.alloc(8 * 1024);

/** Writes text of one byte per character. For short text, a call into native code takes longer. */
function write(text: string, into: Buffer, offset: number): void {
  for (let i = 0; i < text.length; i++) into[offset + i] = text.charCodeAt(i);
}

/** Random bytes for many messages: a call of the random source costs more than the bytes do. */
const random = new Uint32Array(1024);
let unused = 0;

function randomNumber(): number {
  if (unused === 0) unused = randomFillSync(random).length;
  return random[--unused] as number;
}

/**
 * HMAC-SHA256 (RFC 2104) under one key, for one tracking domain. An Hmac object for each tag would
 * take ten times as long.
 */
class Authenticator {
  /** Where the bytes to authenticate begin in their space. */
  readonly start: number;
  /** The padded key, the domain, and the bytes to authenticate. */
  #inner: Buffer;
  readonly #outer = Buffer.alloc(HASH_BLOCK + HASH_BYTES, 0x5c);

  constructor(key: Buffer, domain: string) {
    const host = associated(domain);
    this.start = HASH_BLOCK + 2 + host.length;
    this.#inner = Buffer.alloc(this.start + 512, 0x36);
    for (const [i, byte] of key.entries()) {
      this.#inner[i] = 0x36 ^ byte;
      this.#outer[i] = 0x5c ^ byte;
    }
    this.#inner.writeUInt16BE(host.length, HASH_BLOCK);
    this.#inner.set(host, HASH_BLOCK + 2);
  }

  /** Gives a buffer to write so many bytes to, from `start` on. */
  space(length: number): Buffer {
    const missing = this.start + length - this.#inner.length;
    if (missing > 0) this.#inner = Buffer.concat([this.#inner, Buffer.alloc(missing)]);
    return this.#inner;
  }

  /** @returns the tag of the bytes from `start` to `end`, one latin1 character per byte */
  tag(end: number): string {
    const digest = hash('sha256', this.#inner.subarray(0, end), 'binary');
    write(digest, this.#outer, HASH_BLOCK);
    return hash('sha256', this.#outer, 'binary').slice(0, TAG_BYTES);
  }
}

const HASH_BLOCK = 64;
const HASH_BYTES = 32;

/** The keys of a message. @param header the first bytes of a token */
function messageKeys(
  subkey: Buffer,
  header: Buffer,
): { readonly encryption: Buffer; readonly authentication: Buffer } {
  const both = createHmac('sha512', subkey).update(header.subarray(3, FIXED)).digest();
  return { encryption: both.subarray(0, 32), authentication: both.subarray(32) };
}

/** The counter of AES-CTR at a block. */
function counterOf(block: number): Buffer {
  const bytes = Buffer.alloc(BLOCK);
  bytes.writeUInt32BE(block, BLOCK - 4);
  return bytes;
}

function textOf(form: Form, bytes: Buffer, start = 0, end = bytes.length): string {
  const padding = form !== '2' && (end - start) % 3 === 0 ? 'A' : '';
  return `${form}${bytes.toString('base64url', start, end)}${padding}`;
}

type Form = '2' | '4' | '6';

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
  if (token.length > MAX_TOKEN) return undefined;
  const form = token.charAt(0) as Form;
  const bytes = Buffer.from(token.slice(1), 'base64url');
  // The decoder ignores spare bits and foreign characters, but a link has only one token.
  if (textOf(form, bytes) !== token) return undefined;
  const counter = readBase128(bytes, FIXED);
  if (counter === undefined || bytes.length <= counter.end + TAG_BYTES) return undefined;
  const day = bytes.readUInt16BE(1);
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
        messageId: bytes.toString('base64url', 3, 15),
        injectionTime: day * DAY + unpacked.secondOfDay,
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
  const { encryption, authentication } = messageKeys(subkey, bytes);
  const authenticated = bytes.subarray(0, -TAG_BYTES);
  const tag = bytes.subarray(-TAG_BYTES);
  return (host = '') => {
    const tags = new Authenticator(authentication, host);
    tags.space(authenticated.length).set(authenticated, tags.start);
    const right = tags.tag(tags.start + authenticated.length);
    if (!timingSafeEqual(Buffer.from(right, 'latin1'), tag)) return undefined;
    const sealed = bytes.subarray(end, -TAG_BYTES);
    return createDecipheriv('aes-256-ctr', encryption, counterOf(block)).update(sealed);
  };
}

/** Opens forms 2 and 4. */
function gcmOpener(subkey: Buffer, bytes: Buffer, { value: number, end }: Counter): Opener {
  const key = createHmac('sha256', subkey).update(bytes.subarray(3, FIXED)).digest();
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
