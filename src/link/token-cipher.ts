import {
  type Cipher,
  createCipheriv,
  createDecipheriv,
  createHmac,
  hash,
  randomFillSync,
  timingSafeEqual,
} from 'node:crypto';

/*
 * The cryptography of the sealed tokens of one message: AES-256-CTR and HMAC-SHA256, with one call
 * into native code for many links where Node.js would have an object for each.
 */

/** The two keys of a message. @param idAndSalt what distinguishes the messages of a day */
export function messageKeys(
  subkey: Buffer,
  idAndSalt: Buffer,
): { readonly encryption: Buffer; readonly authentication: Buffer } {
  const both = createHmac('sha512', subkey).update(idAndSalt).digest();
  return { encryption: both.subarray(0, 32), authentication: both.subarray(32) };
}

/** Random bytes for many messages: a call of the random source costs more than the bytes do. */
const random = new Uint32Array(1024);
let unused = 0;

export function randomNumber(): number {
  if (unused === 0) unused = randomFillSync(random).length;
  return random[--unused] as number;
}

const BLOCK = 16;
/** Bytes of the key stream that are made at a time: those of some ten links, then more and more. */
const LEAST_BYTES = 1024;
const ZEROS = Buffer.alloc(8 * 1024);

/** The key stream of one message, taken block by block. */
export class KeyStream {
  /** The number of the next block. */
  block = 0;
  readonly #cipher: Cipher;
  #bytes: Buffer = ZEROS.subarray(0, 0);
  #at = 0;
  #size = LEAST_BYTES;

  constructor(key: Buffer) {
    this.#cipher = createCipheriv('aes-256-ctr', key, counterOf(0));
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

  /** Makes more of the key stream, at least so many bytes. */
  #refill(least: number): void {
    this.#size = Math.min(2 * this.#size, ZEROS.length);
    const zeros = least > this.#size ? Buffer.alloc(least) : ZEROS.subarray(0, this.#size);
    // The encryption of zeros is the key stream. A call for many links costs as much as for one.
    const more = this.#cipher.update(zeros);
    this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), more]);
    this.#at = 0;
  }
}

/** Decrypts what a key stream encrypted. @param block the number of its first block */
export function decrypt(sealed: Buffer, key: Buffer, block: number): Buffer {
  return createDecipheriv('aes-256-ctr', key, counterOf(block)).update(sealed);
}

/** The counter of AES-CTR at a block. */
function counterOf(block: number): Buffer {
  const bytes = Buffer.alloc(BLOCK);
  bytes.writeUInt32BE(block, BLOCK - 4);
  return bytes;
}

/** Bytes of a tag: HMAC-SHA256, cut. */
export const TAG_BYTES = 12;
const HASH_BLOCK = 64;
const HASH_BYTES = 32;

/**
 * HMAC-SHA256 (RFC 2104) under one key, with the same associated data before all bytes. An Hmac
 * object for each tag would take ten times as long.
 */
export class Authenticator {
  /** Where the bytes to authenticate begin in their space. */
  readonly start: number;
  /** The padded key, the associated data behind its length, and the bytes to authenticate. */
  #inner: Buffer;
  readonly #outer = Buffer.alloc(HASH_BLOCK + HASH_BYTES, 0x5c);

  constructor(key: Buffer, associated: Buffer) {
    this.start = HASH_BLOCK + 2 + associated.length;
    this.#inner = Buffer.alloc(this.start + 512, 0x36);
    for (const [i, byte] of key.entries()) {
      this.#inner[i] = 0x36 ^ byte;
      this.#outer[i] = 0x5c ^ byte;
    }
    this.#inner.writeUInt16BE(associated.length, HASH_BLOCK);
    this.#inner.set(associated, HASH_BLOCK + 2);
  }

  /** Gives a buffer to write so many bytes to, from `start` on. */
  space(length: number): Buffer {
    const missing = this.start + length - this.#inner.length;
    if (missing > 0) this.#inner = Buffer.concat([this.#inner, Buffer.alloc(missing)]);
    return this.#inner;
  }

  /** Writes the tag of the bytes from `start` to `end` behind them, for which there is space. */
  sign(end: number): void {
    write(this.#tag(end), this.#inner, end);
  }

  /** Whether bytes end in the tag of those before it. */
  verifies(bytes: Buffer): boolean {
    const length = bytes.length - TAG_BYTES;
    this.space(length).set(bytes.subarray(0, length), this.start);
    const right = Buffer.from(this.#tag(this.start + length), 'latin1');
    return timingSafeEqual(right, bytes.subarray(length));
  }

  /** One latin1 character per byte. */
  #tag(end: number): string {
    const digest = hash('sha256', this.#inner.subarray(0, end), 'binary');
    write(digest, this.#outer, HASH_BLOCK);
    return hash('sha256', this.#outer, 'binary').slice(0, TAG_BYTES);
  }
}

/** Writes text of one byte per character. For short text, a call into native code takes longer. */
function write(text: string, into: Buffer, offset: number): void {
  for (let i = 0; i < text.length; i++) into[offset + i] = text.charCodeAt(i);
}
