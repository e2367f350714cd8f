/**
 * Writes the commonest pieces of URLs as one byte each. Targets are ASCII, so the upper half of the bytes is free to
 * stand for them. The list is part of the format of sealed tokens: its order never changes, and it grows at its end
 * only.
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
const CODES = new Map(PIECES.map((piece, i) => [piece, String.fromCharCode(FIRST + i)]));
/** The longest piece wins at each place. */
const ANY_PIECE = new RegExp(
  [...PIECES]
    .sort((a, b) => b.length - a.length)
    .map((piece) => piece.replace(/[.?&/]/g, '\\$&'))
    .join('|'),
  'g',
);

/** @param url of ASCII characters only */
export function shortenUrl(url: string): Buffer {
  return Buffer.from(
    url.replace(ANY_PIECE, (piece) => CODES.get(piece) as string),
    'latin1',
  );
}

/** @returns what was given to `shortenUrl`; undefined for bytes that no release so far writes */
export function expandUrl(bytes: Buffer): string | undefined {
  let url = '';
  for (const byte of bytes) {
    const piece = byte < FIRST ? String.fromCharCode(byte) : PIECES[byte - FIRST];
    if (piece === undefined) return undefined;
    url += piece;
  }
  return url;
}
