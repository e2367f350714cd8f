/** What Node 20's decoders give where they and the Encoding Standard, which browsers follow, do not agree. */
const UNCERTAIN = /[\x80-\x9f\p{Co}\ufffd]/u;

/** Bytes for which they give something else that looks no different from what is right; control characters among them. */
const MISREAD: ReadonlyMap<string, RegExp> = new Map([
  ['big5', /\xf9\xfe/],
  ['euc-jp', /\x8e[\xe0-\xe2]|\x8f\xf3/],
  ['koi8-u', /[\xae\xbe]/],
  ['shift_jis', /[^\t\n\r -~\x80-\xff]/],
  ['windows-1253', /\xaa/],
]);

/** From 0x80 on: Node 20 decodes it as if it were ISO-8859-1. */
const WINDOWS_1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

/**
 * What bytes say in a charset older than Unicode.
 *
 * @param encoding its name in the Encoding Standard
 * @returns undefined where they are malformed, and where browsers might read something else
 */
export function decodeLegacy(bytes: string, encoding: string): string | undefined {
  if (MISREAD.get(encoding)?.test(bytes)) {
    return undefined;
  }
  const decoded = decodeLoosely(bytes, encoding);
  const text = encoding === 'windows-1252' ? decoded.replace(/[\x80-\x9f]/g, windows1252) : decoded;
  return UNCERTAIN.test(text) ? undefined : text;
}

function windows1252(byte: string): string {
  return WINDOWS_1252[byte.charCodeAt(0) - 0x80] as string;
}

/** To make one takes longer than to decode a character. */
const decoders = new Map<string, InstanceType<typeof TextDecoder>>();

/** The same with U+FFFD for what is malformed, and no more certain than Node is. */
export function decodeLoosely(bytes: string, encoding: string): string {
  const decoder = decoders.get(encoding) ?? new TextDecoder(encoding);
  decoders.set(encoding, decoder);
  return decoder.decode(Buffer.from(bytes, 'latin1'));
}
