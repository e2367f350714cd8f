import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openMessage } from '../../src/message/open-message.ts';
import { type MadeMessage, type MadePart, mimeMessages } from '../helpers/mime-tree.ts';

const body = ({ pieces }: MadeMessage) =>
  pieces.map((piece) => (typeof piece === 'string' ? piece : piece.raw)).join('');

function rewrite(message: MadeMessage, chunk: number, urlFor: (number: number) => string) {
  const open = openMessage(message.headers);
  const bytes = Buffer.from(body(message), 'latin1');
  for (let at = 0; at < bytes.length; at += chunk) {
    open.write(bytes.subarray(at, at + chunk));
  }
  let number = 0;
  return open.end().rewrite(() => urlFor(number++));
}

/** The parts to be changed: the first of each type that is shown. */
function topParts({ pieces }: MadeMessage): MadePart[] {
  const leaves = pieces
    .filter((piece) => typeof piece !== 'string')
    .filter(({ attachment }) => !attachment);
  return ['text/plain', 'text/html'].flatMap(
    (type) => leaves.find((leaf) => leaf.type === type) ?? [],
  );
}

function decode(raw: string, encoding: string): string {
  switch (encoding) {
    case 'quoted-printable':
      return raw
        .replace(/[ \t]+(?=\r?\n|$)/g, '')
        .replace(/=\r?\n/g, '')
        .replace(/=([0-9A-Fa-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
    case 'base64':
      return Buffer.from(raw, 'base64').toString('latin1');
    default:
      return raw;
  }
}

/** Finds the changed parts in a new body, where all else must be as it was. */
function newRaws(message: MadeMessage, output: string): Map<MadePart, string> {
  const found = new Map<MadePart, string>();
  const tops = topParts(message);
  let at = 0;
  for (const [index, piece] of message.pieces.entries()) {
    if (typeof piece !== 'string' && tops.includes(piece)) {
      const rest = message.pieces.slice(index + 1);
      const next = rest.findIndex((one) => typeof one !== 'string' || one.trim() !== '');
      const joined =
        next === -1
          ? rest.join('')
          : rest
              .slice(0, next + 1)
              .map((one) => (typeof one === 'string' ? one : one.raw))
              .join('');
      const end =
        joined === ''
          ? output.length
          : next === -1
            ? output.length - joined.length
            : output.indexOf(joined, at);
      found.set(piece, output.slice(at, end));
      at = end;
    } else {
      const same = typeof piece === 'string' ? piece : piece.raw;
      expect(output.slice(at, at + same.length)).toBe(same);
      at += same.length;
    }
  }
  expect(at).toBe(output.length);
  return found;
}

const utf16Of = (part: MadePart, text: string): string => {
  if (!part.content.includes('\0')) {
    return text;
  }
  const little = Buffer.from(text, 'utf16le');
  return (part.content.startsWith('\xff\xfe') ? little : little.swap16()).toString('latin1');
};

describe('of the whole message only the bytes of tracked links differ', () => {
  test.each(['https://t.example/', 'https://tracking.long-domain.example/'.padEnd(200, 'p')])(
    '%s',
    (prefix) => {
      fc.assert(
        fc.property(mimeMessages, fc.constantFrom(1, 7, 64, 1_000_000), (message, chunk) => {
          const before = body(message);
          const { body: after, links } = rewrite(message, chunk, (number) => `${prefix}${number}.`);
          const tracked = links.filter((link) => link.tracked);
          if (after === undefined) {
            expect(tracked).toEqual([]);
            return;
          }
          const output = Buffer.concat(after).toString('latin1');
          expect(output).not.toBe(before);
          for (const [part, raw] of newRaws(message, output)) {
            let content = decode(raw, part.encoding);
            // In the order of the part: the links that are tracked are those with a URL.
            for (const { url, target } of tracked) {
              const original = part.links.find((link) => link.replaceAll('&amp;', '&') === target);
              if (url !== undefined && original !== undefined) {
                content = content.replace(utf16Of(part, url), utf16Of(part, original));
              }
            }
            expect(content).toBe(decode(part.raw, part.encoding));
            if (part.encoding === 'quoted-printable') {
              const longest = Math.max(76, ...part.raw.split(/\r?\n/).map((line) => line.length));
              for (const line of raw.split(/\r?\n/)) {
                expect(line.length).toBeLessThanOrEqual(longest);
              }
            }
          }
        }),
        { numRuns: 150 },
      );
    },
  );

  test('and every link of the top parts is found', () => {
    fc.assert(
      fc.property(mimeMessages, (message) => {
        const { links } = rewrite(message, 1000, () => 'https://t.example/');
        const expected = topParts(message).flatMap((part) =>
          part.links.map((link) => link.replaceAll('&amp;', '&')),
        );
        expect(links.map(({ target }) => target).sort()).toEqual(expected.sort());
      }),
      { numRuns: 150 },
    );
  });
});

describe('marks stay where a line would become a delimiter without them', () => {
  const MARK = '[[data-msys-linkname="x"]]';
  const around = (type: string, content: string, encoding = '8bit') => ({
    headers: [{ name: 'Content-Type', value: 'multipart/mixed; boundary=o' }],
    body: `--o\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/${type}\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${content}\r\n--b--\r\n--o--\r\n`,
  });
  const rewritten = ({ headers, body }: ReturnType<typeof around>) => {
    const open = openMessage(headers);
    open.write(Buffer.from(body));
    const { body: after } = open.end().rewrite(() => 'https://t.example/T');
    return after && Buffer.concat(after).toString();
  };
  const link = 'https://a.example/';

  test.each([
    ['plain', `${link}\r\n--b ${MARK}\r\nx`],
    ['plain', `${link}\r\n--b${MARK}\r\nx`],
    ['plain', `${link}\r\n--${MARK}b\r\nx`],
    ['plain', `${link}\r\n-${MARK}-b\r\nx`],
    ['plain', `${link}\r\n--b--${MARK}${MARK}\t\r\nx`],
    ['plain', `${link}\r\n--o${MARK}\r\nx`],
    ['plain', `${link}\r\n--o-${MARK}-\r\nx`],
    ['plain', `--b${MARK}\r\n${link}`],
    ['plain', `${link}\n--b ${MARK}\nx`],
    ['html', `<a href="${link}" x\r\n--b data-msys-linkname="n"\r\n>x</a>`],
    ['html', `<a href="${link}" x\r\n--b-- data-msys-linkname=n\t\r\n>x</a>`],
    ['html', `<a href="${link}" x\r\ndata-msys-linkname="x"--b\r\n>x</a>`],
    ['plain', `${link} x=\r\n--b${MARK.replace('=', '=3D')}\r\nx`, 'quoted-printable'],
  ])('text/%s: %j', (type, content, encoding = '8bit') => {
    const message = around(type, content, encoding);
    const tracked = content.replace(link, 'https://t.example/T');
    expect(rewritten(message)).toBe(around(type, tracked, encoding).body);
  });

  test.each([
    ['plain', `--bx ${MARK} ${link}`],
    ['plain', `-- ${MARK}\r\n${link}`],
    ['plain', `a--b${MARK}\r\n${link}`],
    ['plain', `- ${MARK}${link}`],
    ['plain', `--b ${MARK}x ${link}`],
    ['html', `<a\r\n--x data-msys-linkname="n" href="${link}">`],
  ])('and go from other lines: %s: %j', (type, content) => {
    expect(rewritten(around(type, content))).not.toContain('data-msys');
  });

  test('nothing is replaced where they are all there is', () => {
    expect(rewritten(around('plain', `--b${MARK}`))).toBeUndefined();
  });
});
