import { randomFillSync } from 'node:crypto';

const BYTES = 12;

/** One call into the random source makes many ids: a call costs more than the bytes do. */
const pool = Buffer.alloc(BYTES * 512);
let next = pool.length;

/** A new message id: 96 random bits as 16 characters of base64url, of which the first is no `-`: commands take it for an option. */
export function newMessageId(): string {
  if (next === pool.length) {
    randomFillSync(pool);
    next = 0;
  }
  next += BYTES;
  const id = pool.toString('base64url', next - BYTES, next);
  return id.startsWith('-') ? newMessageId() : id;
}

/** Whether a text has the form of a message id; says nothing about whether that message exists. */
export function isMessageId(text: string): boolean {
  return /^[\w-]{16}$/.test(text);
}
