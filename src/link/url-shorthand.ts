/**
 * The most common pieces of URLs, each of which becomes one byte. Targets are ASCII, so the upper
 * half of the bytes is free for them. The list is part of the format of sealed tokens: its order
 * never changes, and it grows at its end only.
 */
const PIECES: readonly string[] = [
  'https://www.',
  'https://',
  'http://www.',
  'http://',
  '?utm_source=',
  '&utm_source=',
  '&utm_medium=',
  '&utm_medium=email',
  '&utm_campaign=',
  '&utm_content=',
  '&utm_term=',
  '&utm_id=',
  'utm_',
  'newsletter',
  'campaign',
  'email',
  'unsubscribe',
  'preferences',
  'product',
  'category',
  'collections',
  'article',
  'account',
  'download',
  'register',
  'password',
  'confirm',
  'webinar',
  'support',
  'content',
  'privacy',
  'profile',
  'subscri',
  'youtube.com/',
  'watch?v=',
  'facebook.com/',
  'instagram.com/',
  'linkedin.com/',
  'twitter.com/',
  'google.com/',
  'apple.com/',
  'example.',
  'click',
  'track',
  'news',
  'shop',
  'blog',
  'event',
  'user',
  'login',
  'order',
  'search',
  'index',
  'page',
  'store',
  'media',
  'image',
  'assets',
  'sale',
  'help',
  'about',
  'token',
  'redirect',
  'source=',
  'mc_cid=',
  'mc_eid=',
  '.html',
  '.aspx',
  '.php',
  '.pdf',
  '.jpg',
  '.png',
  '.com/',
  '.com',
  '.org/',
  '.org',
  '.net/',
  '.net',
  '.co.uk/',
  '.de/',
  '.fr/',
  '.nl/',
  '.eu/',
  '.io/',
  '/en/',
  '/de/',
  '/en-us/',
  '/20',
  '202',
  '%20',
  '%2F',
  '%3D',
  '%3A%2F%2F',
  '?id=',
  '&id=',
  '?p=',
  '&ref=',
  '&u=',
  '&c=',
  '&e=',
  'ing',
  'ion',
  'ter',
  'ent',
  'the-',
  '-and-',
  'er',
  'in',
  'on',
  'an',
  're',
  'st',
  'es',
  'or',
  'te',
  'al',
  'ar',
  'it',
  'en',
  'at',
  'le',
  'de',
  'co',
  'ro',
  'ch',
  'li',
];

const FIRST = 0x80;
const ASCII = 0x80;

/**
 * All pieces as a tree: the number of a node times 128, plus a character, is the place of the
 * number of the node to which the character leads, or of 0 where it leads to none.
 */
const next: number[] = Array(ASCII).fill(0);
/** By node: the byte of the piece that ends there, or 0. */
const bytes: number[] = [0];
for (const [i, piece] of PIECES.entries()) {
  let node = 0;
  for (const character of Buffer.from(piece)) {
    const step = node * ASCII + character;
    if (next[step] === 0) {
      next[step] = bytes.length;
      bytes.push(0);
      next.push(...Array<number>(ASCII).fill(0));
    }
    node = next[step] as number;
  }
  bytes[node] = FIRST + i;
}
const NEXT = Uint16Array.from(next);
const BYTES = Uint8Array.from(bytes);

/**
 * Writes a URL with one byte per piece; the longest piece wins at each place.
 * @param url of ASCII characters only
 */
export function shortenUrl(url: string): Buffer {
  const shortened = Buffer.allocUnsafe(url.length);
  let end = 0;
  for (let at = 0; at < url.length; ) {
    let byte = url.charCodeAt(at);
    let length = 1;
    let node = NEXT[byte] as number;
    for (let ahead = at + 1; node !== 0; ahead++) {
      if (BYTES[node] !== 0) {
        byte = BYTES[node] as number;
        length = ahead - at;
      }
      node = ahead < url.length ? (NEXT[node * ASCII + url.charCodeAt(ahead)] as number) : 0;
    }
    shortened[end++] = byte;
    at += length;
  }
  return shortened.subarray(0, end);
}

/**
 * Returns the URL that was given to `shortenUrl`; undefined for bytes that no release has written.
 */
export function expandUrl(bytes: Buffer): string | undefined {
  let url = '';
  for (const byte of bytes) {
    const piece = byte < FIRST ? String.fromCharCode(byte) : PIECES[byte - FIRST];
    if (piece === undefined) return undefined;
    url += piece;
  }
  return url;
}
