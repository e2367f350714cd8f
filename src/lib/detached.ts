/** A copy of a text of latin1 characters: a piece of a string keeps the whole of it alive, be it a message or a request. */
export function detached(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
