import { hash } from 'node:crypto';
import type { StoredMessage } from './link-store.ts';
import type { MessageFacts, TrackedLink } from './message-facts.ts';

/**
 * The token of a stored link: its form, the message id, a check, the link's index.
 *
 *     3 MMMMMMMMMMMMMMMM CCCCCC I…
 *
 * The id alone (96 random bits) cannot be guessed. The check is derived from a secret that only the
 * record holds, so that one link of a message does not lead to the others by counting. The index
 * has no leading zeros, so that each link has only one token.
 *
 * Form 3 writes the index in letters and digits, because mail programs leave a final `-` out of a
 * link. Form 1, which is read forever and no longer written, used `-` and `_` too. The checks of
 * the two forms differ, so that no link has a token of both.
 */
export interface StoredToken {
  readonly form: Form;
  readonly messageId: string;
  readonly index: number;
  /** To be compared with the check of `LinkChecks`. */
  readonly check: string;
}

type Form = keyof typeof FORMS;

const ALPHANUMERIC = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/**
 * By the first character of the token. No message has a million links, so longer indexes are not
 * parsed.
 */
const FORMS = {
  1: {
    digits: `${ALPHANUMERIC}-_`,
    index: /^(?:[\w-]|[B-Za-z0-9_-][\w-]{1,3})$/,
    /** Between the secret and the number of a block of checks. */
    separator: '.',
  },
  3: {
    digits: ALPHANUMERIC,
    index: /^(?:[A-Za-z0-9]|[B-Za-z0-9][A-Za-z0-9]{1,3})$/,
    separator: ':',
  },
} as const;

const CHECK_LENGTH = 6;
/** The positions of the check and the index. */
const CHECK = 17;
const INDEX = CHECK + CHECK_LENGTH;

/** Whether a token is of the stored kind; it need not be valid. */
export function isStoredToken(token: string): boolean {
  return formOf(token) !== undefined;
}

export function formatStoredToken(messageId: string, index: number, checks: LinkChecks): string {
  return inForm(3, messageId, index, checks);
}

/** The links of a message with their tokens, of which a record does not say the form. */
export function storedMessage(
  message: MessageFacts,
  links: readonly TrackedLink[],
  checks: LinkChecks,
): StoredMessage {
  const tokenOf = (form: Form, index: number) => inForm(form, message.messageId, index, checks);
  return {
    message,
    links: links.map((link, index) => ({ link, tokens: [tokenOf(3, index), tokenOf(1, index)] })),
  };
}

function inForm(form: Form, messageId: string, index: number, checks: LinkChecks): string {
  return `${form}${messageId}${checks.of(index, form)}${inDigits(index, FORMS[form].digits)}`;
}

/** @returns undefined for a text that is not a stored token */
export function parseStoredToken(token: string): StoredToken | undefined {
  const form = formOf(token);
  if (form === undefined || !/^[\w-]{24,27}$/.test(token)) return undefined;
  const { digits, index: pattern } = FORMS[form];
  const written = token.slice(INDEX);
  if (!pattern.test(written)) return undefined;
  let index = 0;
  for (const digit of written) index = index * digits.length + digits.indexOf(digit);
  return { form, messageId: token.slice(1, CHECK), index, check: token.slice(CHECK, INDEX) };
}

function formOf(token: string): Form | undefined {
  return token.startsWith('3') ? 3 : token.startsWith('1') ? 1 : undefined;
}

function inDigits(value: number, digits: string): string {
  const digit = digits[value % digits.length] ?? '';
  return value < digits.length
    ? digit
    : inDigits(Math.floor(value / digits.length), digits) + digit;
}

/**
 * The checks of one message's links: 36 bits each, cut from SHA-512 over the record's secret and a
 * counter.
 */
export class LinkChecks {
  readonly #secret: string;
  /** Blocks of 14 checks by form, each computed when it is first needed. */
  readonly #blocks: Readonly<Record<Form, string[]>> = { 1: [], 3: [] };

  constructor(secret: string) {
    this.#secret = secret;
  }

  of(index: number, form: Form): string {
    const perBlock = 14;
    const number = Math.floor(index / perBlock);
    const blocks = this.#blocks[form];
    let block = blocks[number];
    if (block === undefined) {
      block = hash('sha512', `${this.#secret}${FORMS[form].separator}${number}`, 'base64url');
      blocks[number] = block;
    }
    const start = (index % perBlock) * CHECK_LENGTH;
    return block.slice(start, start + CHECK_LENGTH);
  }
}
