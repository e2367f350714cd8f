import { LinkifyIt } from 'linkify-it';
import { parsed, type Shown } from './same-place.ts';

/** How a family of programs finds the links of a plain text. Written from what they do, to be independent of src/. */
export type Reader = (text: string) => Shown[];

/** Schemes that an operating system or a mail program opens. */
const OPENED =
  /^(?:https?|mailto|ftp|file|data|javascript|view-source|tel|sms|geo|magnet|news|feed|intent|whatsapp|tg|facetime|webcal|blob|itms-services|ms-word|x-safari-https?|microsoft-edge|zoommtg|android-app|market|myapp)$/i;

/**
 * Thunderbird. A colon makes it look for a scheme before and for the end behind, first within `<…>` and `"…"` of the
 * line, where white space does not count; a dot for `www.`, an at sign for an address.
 */
const thunderbird: Reader = (text) => {
  const shown: Shown[] = [];
  let lineStart = 0;
  for (const line of text.split('\n')) {
    let last = 0;
    for (let at = 0; at < line.length; at++) {
      const range = line[at] === ':' ? atColon(line, at) : abbreviated(line, at, last);
      if (range !== undefined) {
        const { start, end, prefix = '' } = range;
        const url = prefix + line.slice(start, end).replace(WHITE, '');
        shown.push({ start: lineStart + start, end: lineStart + end, url });
        at = end - 1;
        last = end;
      }
    }
    lineStart += line.length + 1;
  }
  return shown;
};

const WHITE = /[ \t\r\n\f\v]/g;
type Span = { start: number; end: number; prefix?: string };

function atColon(line: string, colon: number): Span | undefined {
  const tagged = line.slice(0, colon + 1).endsWith('<URL:') ? colon + 1 : undefined;
  const opener = Math.max(...['<', '>', '"'].map((char) => line.lastIndexOf(char, colon)));
  const delimited = opener !== -1 && line[opener] !== '>' ? opener + 1 : undefined;
  for (const start of [tagged, delimited]) {
    const close = /[<>"]/.exec(line.slice(colon + 1));
    if (start !== undefined && close !== null) {
      const end = colon + 1 + close.index;
      const closer = start === tagged || line[start - 1] === '<' ? '>' : '"';
      if (line[end] === closer && end > colon + 1 && opens(line.slice(start, end))) {
        return { start, end };
      }
    }
  }
  const start = colon - (/[a-z\d+.-]*$/i.exec(line.slice(0, colon))?.[0].length ?? 0);
  const end = freeEnd(line, colon, false);
  return /[a-z]/i.test(line[start] ?? '') && end > colon + 1 && opens(line.slice(start, end))
    ? { start, end }
    : undefined;
}

/** @param from where it looks back to at most: behind the last link */
function abbreviated(line: string, at: number, from: number): Span | undefined {
  if (line[at] !== '.' && line[at] !== '@') {
    return undefined;
  }
  const before = /[^<>"'`,{[(|\\\s]*$/.exec(line.slice(from, at))?.[0] ?? '';
  const name =
    line[at] === '@' ? (/[\0-\x7f]*$/.exec(before)?.[0] ?? '').replace(/.*\)/, '') : before;
  const start = at - name.length;
  const end = freeEnd(line, at, line[at] === '@');
  const written = line.slice(start, end);
  if (!/^[a-z\d]/i.test(name) || end <= at + 1) {
    return undefined;
  }
  if (line[at] === '@') {
    return written.slice(name.length).includes('.') ? { start, end, prefix: 'mailto:' } : undefined;
  }
  return /^www\./i.test(written) ? { start, end, prefix: 'http://' } : undefined;
}

function opens(written: string): boolean {
  const url = written.replace(WHITE, '');
  return OPENED.test(url.slice(0, url.indexOf(':'))) && parsed(url) !== undefined;
}

/** Where a link in running text ends that has its colon, dot or at sign at an offset. */
function freeEnd(line: string, at: number, isAddress: boolean): number {
  let end = at + 1;
  let round = false;
  let square = false;
  for (; end < line.length; end++) {
    const char = line[end] as string;
    const isHost = line.slice(0, end).endsWith('//');
    if (
      /[<>"`{} \t\r\f\v\u00a0]/.test(char) ||
      (char === ')' && !round) ||
      (char === ']' && !square) ||
      (char === '[' && !isHost) ||
      (isAddress && /[('\u0080-\uffff]/.test(char))
    ) {
      break;
    }
    round ||= char === '(';
    square ||= char === '[';
  }
  while (end > at + 1 && ".,;!?-:'".includes(line[end - 1] as string)) {
    end--;
  }
  return end;
}

/** Android's Linkify: characters of a list, up to the last one where a word ends. */
const android: Reader = (text) => {
  const shown: Shown[] = [];
  for (const { 0: written, index } of text.matchAll(ANDROID)) {
    const url = /^[a-z]+:\/\//i.test(written) ? written : `http://${written}`;
    shown.push({ start: index, end: index + written.length, url });
  }
  return shown;
};

const LETTER =
  'a-zA-Z0-9\\u{a1}-\\u{1fff}\\u{200b}-\\u{2027}\\u{202a}-\\u{202e}\\u{2030}-\\u{2fff}\\u{3001}-\\u{d7ff}\\u{f900}-\\u{fdcf}\\u{fdf0}-\\u{ffef}\\u{10000}-\\u{dfffd}';
const WORD = '[\\p{L}\\p{M}\\p{Nd}\\p{Pc}\\u200c\\u200d]';
const BOUNDARY = `(?:(?<=${WORD})(?!${WORD})|(?<!${WORD})(?=${WORD})|$|^)`;
const IN_USER = "(?:[a-zA-Z0-9$\\-_.+!*'(),;?&=]|%[a-fA-F0-9]{2})";
const USER = `(?:${IN_USER}{1,64}(?::${IN_USER}{1,25})?@)?`;
const NAME = `[${LETTER}](?:[${LETTER}_.\\-]*[${LETTER}])?`;
const STRICT = `(?:[a-z0-9][a-z0-9\\-]*\\.)+(?:com|org|net|de|cn|example)(?![a-z0-9])`;
const PATH = `(?::\\d{1,5})?(?:[/?](?:[${LETTER};/?:@&=#~\\-.+!*'(),_$]|%[a-fA-F0-9]{2})*)?`;
const ANDROID = new RegExp(
  `${BOUNDARY}(?:(?:[hH][tT][tT][pP][sS]?|ftp|rtsp)://${USER}(?:${NAME}\\.?)?${PATH}|(?<!://)${STRICT}${PATH})${BOUNDARY}`,
  'gu',
);

/** markdown-it and most web mail. */
const linkifyIt: Reader = (text) =>
  linkify
    .match(text)
    ?.map(({ index, lastIndex, url }) => ({ start: index, end: lastIndex, url })) ?? [];

const linkify = new LinkifyIt({ urlAuth: true });

/** RFC 3986, appendix C: within `<…>` and `"…"` white space and line ends are not part of a URL, elsewhere they end it. */
const appendixC: Reader = (text) => {
  const shown: Shown[] = [];
  const delimited =
    /<[ \t\r\n]*(?:URL:)?[ \t\r\n]*([a-z][a-z\d+.-]*:[^<>"]*)>|"[ \t\r\n]*([a-z][a-z\d+.-]*:[^<>"]*)"/gi;
  for (const paragraph of text.matchAll(/(?:[^\n]|\n(?![ \t\r]*\n))+/g)) {
    for (const match of paragraph[0].matchAll(delimited)) {
      const written = match[1] ?? match[2] ?? '';
      const url = written.replace(WHITE, '');
      const start = paragraph.index + match.index + match[0].lastIndexOf(written);
      if (opens(url)) {
        shown.push({ start, end: start + written.length, url });
      }
    }
  }
  return shown;
};

/** Programs that take all up to white space, and cut off at most what ends a sentence. */
const toWhiteSpace: Reader = (text) =>
  [...text.matchAll(/(?<![a-z\d])https?:\/\/\S+/gi)].map(({ 0: url, index }) => ({
    start: index,
    end: index + url.length,
    url,
  }));

export const READERS: Readonly<Record<string, Reader>> = {
  thunderbird,
  android,
  'linkify-it': linkifyIt,
  'appendix C': appendixC,
  'up to white space': toWhiteSpace,
};
