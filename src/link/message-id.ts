import { randomFillSync } from 'node:crypto';

const BYTES = 12;

/** Random bytes for many ids: a call of the random source costs more than the bytes do. */
const pool = Buffer.alloc(BYTES * 512);
let next = pool.length;

/**
 * Creates a message id: 96 random bits as 16 characters of base64url. None begins with `-`, which
 * commands take for an option.
 */
export function newMessageId(): string {
  if (next === pool.length) {
    randomFillSync(pool);
    next = 0;
  }
  next += BYTES;
  const id = pool.toString('base64url', next - BYTES, next);
  return id.startsWith('-') ? newMessageId() : id;
}

/** @throws RangeError for an id that newMessageId did not create */
export function assertMessageId(id: string): void {
  if (!isMessageId(id)) throw new RangeError(`"${id}" is not a message id of newMessageId`);
}

/** Whether a text has the form of a message id; the message need not exist. */
export function isMessageId(text: string): boolean {
  return /^[\w-]{16}$/.test(text);
}
