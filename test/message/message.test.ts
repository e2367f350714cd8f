import { readdirSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { Splitter } from 'mailsplit';
import { describe, expect, test } from 'vitest';
import {
  DEFAULT_LIMITS,
  LinkRewriter,
  type LinkRewriterOptions,
  type LinkRewriterReport,
  readMessageFile,
} from '../../src/message/message.ts';
import { openMessage } from '../../src/message/open-message.ts';

const CORPUS = new URL('corpus/', import.meta.url);
const corpus = readdirSync(CORPUS).filter((name) => name.endsWith('.eml'));
const urlFor: LinkRewriterOptions['urlFor'] = ({ target }) => `https://t.example/${target.length}`;

async function rewrite(
  message: Buffer,
  size = message.length || 1,
  options: Partial<LinkRewriterOptions> = {},
): Promise<{ after: Buffer; reports: LinkRewriterReport[] }> {
  const reports: LinkRewriterReport[] = [];
  const onRewritten = (report: LinkRewriterReport) => reports.push(report);
  const pieces = Array.from({ length: Math.ceil(message.length / size) }, (_, i) =>
    message.subarray(i * size, (i + 1) * size),
  );
  const rewriter = new LinkRewriter({ urlFor, onRewritten, ...options });
  return { after: await buffer(Readable.from(pieces).pipe(rewriter)), reports };
}

/** The message as `openMessage` alone rewrites it. */
function expected(message: Buffer): Buffer {
  const { preface, fields, separator, body } = readMessageFile(message);
  const open = openMessage(fields);
  open.write(body);
  const after = open.end().rewrite(({ target }) => `https://t.example/${target.length}`).body;
  return Buffer.concat([
    preface,
    ...fields.map(({ bytes }) => bytes),
    separator,
    ...(after ?? [body]),
  ]);
}

test.each(corpus)('%s, in pieces of any size and from mailsplit', async (name) => {
  const message = readFileSync(new URL(name, CORPUS));
  const after = expected(message).toString('latin1');
  for (const size of [1, 7, 1000, message.length]) {
    expect((await rewrite(message, size)).after.toString('latin1')).toBe(after);
  }
  const splitter = new Splitter();
  splitter.end(message);
  const fromSplitter = await buffer(splitter.pipe(new LinkRewriter({ urlFor })));
  expect(fromSplitter.toString('latin1')).toBe(after);
});

test('whatever the message is, only links change', async () => {
  const piece = fc.constantFrom(
    'A: b',
    '\r\n',
    '\n',
    ' ',
    ':',
    'From ',
    'https://a.example/',
    '\0',
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece), fc.integer({ min: 1, max: 9 }), async (pieces, size) => {
      const message = Buffer.from(pieces.join(''));
      const { after, reports } = await rewrite(message, size);
      expect(after.toString('latin1')).toBe(expected(message).toString('latin1'));
      expect(reports).toHaveLength(1);
    }),
  );
});

const TEXT = 'Subject: x\r\n\r\nhttps://a.example/ https://b.example/\r\n';

test('links come with their URLs, which may be late, and the report says so', async () => {
  const { after, reports } = await rewrite(Buffer.from(TEXT), 5, {
    urlFor: async ({ target }) => {
      await new Promise(setImmediate);
      return target.includes('a.example') ? 'https://t.example/1' : undefined;
    },
  });
  expect(after.toString()).toBe(TEXT.replace('https://a.example/', 'https://t.example/1'));
  expect(reports).toMatchObject([
    { links: [{ tracked: true, url: 'https://t.example/1' }, { tracked: false }] },
  ]);
});

test('a URL that cannot be had destroys the stream', async () => {
  const failing = rewrite(Buffer.from(TEXT), 5, {
    urlFor: () => Promise.reject(new Error('store: not reachable')),
  });
  await expect(failing).rejects.toThrow('store: not reachable');
});

test('a signed message passes before its end', async () => {
  const rewriter = new LinkRewriter({ urlFor });
  const header = 'DKIM-Signature: v=1\r\n\r\n';
  rewriter.write(header);
  rewriter.write('https://a.example/');
  expect(rewriter.read()?.toString()).toBe(`${header}https://a.example/`);
  const rest = buffer(rewriter);
  rewriter.end();
  expect(await rest).toHaveLength(0);
});

const textOf = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

describe('docs/message-library.md', () => {
  const page = textOf('docs/message-library.md');

  test('shows the example of the declarations', () => {
    const documented = textOf('src/message/message.ts')
      .split('\n')
      .filter((line) => /^ \* {5}|^ \*$/.test(line))
      .map((line) => line.slice(' *     '.length))
      .join('\n')
      .trim();
    expect(/```ts\n(.*?)\n```/s.exec(page)?.[1]).toBe(documented);
  });

  test('lists each option', () => {
    const declared = /interface ReadingOptions \{\n(.*?)\n\}/s.exec(
      textOf('src/message/reading-options.ts'),
    );
    const options = declared?.[1]?.match(/(?<=^ {2}readonly )\w+/gm) ?? [];
    expect(options).toContain('rewriteSigned');
    for (const option of options) {
      expect(page).toContain(option === 'limits' ? '| `limits.' : `| \`${option}\` |`);
    }
  });

  test('lists each limit with its default', () => {
    const limits = [...page.matchAll(/^\| `limits\.(\w+)` \| `(\d+)` \|/gm)];
    expect(Object.fromEntries(limits.map(([, name, value]) => [name, Number(value)]))).toEqual(
      DEFAULT_LIMITS,
    );
  });
});

const whole = (bytes: Buffer) => {
  const { preface, fields, separator, body } = readMessageFile(bytes);
  return Buffer.concat([preface, ...fields.map((field) => field.bytes), separator, body]);
};

test.each([
  [
    'CRLF',
    'A: b\r\nC:  d\r\n\te\r\n\r\nbody\r\n',
    [
      ['A', ' b'],
      ['C', '  d\n\te'],
    ],
    'body\r\n',
  ],
  [
    'LF',
    'A: b\nC: d\n\nbody\n',
    [
      ['A', ' b'],
      ['C', ' d'],
    ],
    'body\n',
  ],
  ['mbox', 'From a@b Mon Nov 23\nA: b\n\nbody', [['A', ' b']], 'body'],
  ['no header', '\r\nbody', [], 'body'],
  ['no body', 'A: b\r\n', [['A', ' b']], ''],
  ['no line end', 'A: b', [['A', ' b']], ''],
  ['a line that is no header', 'A: b\r\nno header\r\n', [['A', ' b']], 'no header\r\n'],
  ['nothing', '', [], ''],
])('%s', (_title, message, fields, body) => {
  const file = readMessageFile(Buffer.from(message));
  expect(file.fields.map(({ name, value }) => [name, value])).toEqual(fields);
  expect(file.body.toString()).toBe(body);
  expect(whole(Buffer.from(message)).toString()).toBe(message);
});

test('the pieces are the message, whatever it is', () => {
  const piece = fc.constantFrom('A: b', '\r\n', '\n', ' ', '\t', ':', 'From ', 'x', '\0', 'é');
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const message = Buffer.from(pieces.join(''));
      expect(whole(message).equals(message)).toBe(true);
    }),
  );
});
