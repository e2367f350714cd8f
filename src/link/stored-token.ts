import { hash } from 'node:crypto';

/**
 * The token of a stored link: `1`, the message id, a check, the link's index.
 *
 *     1 MMMMMMMMMMMMMMMM CCCCCC I…
 *
 * The id alone (96 random bits) cannot be guessed. The check keeps whoever was forwarded one link of a
 * message from reaching the others by counting: it is derived from a secret that only the record holds.
 * The index is in base 64, without leading zeros, so that each link has one token only.
 */
export interface StoredToken {
  readonly messageId: string;
  readonly index: number;
  /** To be compared with the one of `LinkChecks`. */
  readonly check: string;
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const CHECK_LENGTH = 6;
/** No message has a million links; longer indexes are not looked at. */
const TOKEN = /^1[\w-]{16}[\w-]{6}(?:[\w-]|[B-Za-z0-9_-][\w-]{1,3})$/;
/** Where the check and the index begin. */
const CHECK = 17;
const INDEX = CHECK + CHECK_LENGTH;

/** Whether a token is of the stored kind; it need not be a valid one. */
export function isStoredToken(token: string): boolean {
  return token.startsWith('1');
}

export function formatStoredToken(messageId: string, index: number, checks: LinkChecks): string {
  return `1${messageId}${checks.of(index)}${base64Number(index)}`;
}

/** @returns undefined for what is no stored token */
export function parseStoredToken(token: string): StoredToken | undefined {
  if (!TOKEN.test(token)) return undefined;
  let index = 0;
  for (const digit of token.slice(INDEX)) index = index * 64 + DIGITS.indexOf(digit);
  return { messageId: token.slice(1, CHECK), index, check: token.slice(CHECK, INDEX) };
}

function base64Number(value: number): string {
  const digit = DIGITS[value % 64] ?? '';
  return value < 64 ? digit : base64Number(Math.floor(value / 64)) + digit;
}

/** The checks of one message's links: 36 bits each, cut from SHA-512 over the record's secret and a counter. */
export class LinkChecks {
  readonly #secret: string;
  /** Blocks of 14 checks, made when the first of them is asked for. */
  readonly #blocks: string[] = [];

  constructor(secret: string) {
    this.#secret = secret;
  }

  of(index: number): string {
    const perBlock = 14;
    const number = Math.floor(index / perBlock);
    this.#blocks[number] ??= hash('sha512', `${this.#secret}.${number}`, 'base64url');
    const start = (index % perBlock) * CHECK_LENGTH;
    return (this.#blocks[number] as string).slice(start, start + CHECK_LENGTH);
  }
}
