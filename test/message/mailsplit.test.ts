import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { finished } from 'node:stream/promises';
import fc from 'fast-check';
import { Splitter } from 'mailsplit';
import { expect, test } from 'vitest';
import { KNOWN_MAILSPLIT, LineSplitter } from '../../src/message/mailsplit.ts';
import { DEFAULT_LIMITS } from '../../src/message/reading-options.ts';
import { TopParts } from '../../src/message/top-parts.ts';
import { type MadeMessage, mimeMessages } from '../helpers/mime-tree.ts';

test('the version of mailsplit is the one whose inside is known', () => {
  const manifest = createRequire(import.meta.url).resolve('mailsplit/package.json');
  expect(JSON.parse(readFileSync(manifest, 'utf8'))).toMatchObject({ version: KNOWN_MAILSPLIT });
});

const body = ({ pieces }: MadeMessage) =>
  Buffer.from(
    pieces.map((piece) => (typeof piece === 'string' ? piece : piece.raw)).join(''),
    'latin1',
  );

/** The parts as mailsplit's own stream gives them, but for those beside the root of a multipart/related. */
async function streamed(
  message: MadeMessage,
): Promise<{ type: string; disposition: string; raw: string }[]> {
  const splitter = new Splitter({ ignoreEmbedded: true });
  const parts = new Map<unknown, { type: string; disposition: string; raw: string }>();
  const firsts = new Map<unknown, unknown>();
  const isShown = (node: { parentNode: unknown }): boolean => {
    const parent = node.parentNode as { parentNode: unknown; multipart: string } | false;
    return (
      !parent ||
      ((parent.multipart !== 'related' || firsts.get(parent) === node) && isShown(parent))
    );
  };
  splitter.on('data', (chunk) => {
    if (chunk.type === 'node' && !firsts.has(chunk.parentNode)) {
      firsts.set(chunk.parentNode, chunk);
    }
    if (chunk.type === 'node' && !chunk.multipart && isShown(chunk)) {
      parts.set(chunk, {
        type: chunk.contentType || '',
        disposition: chunk.disposition || '',
        raw: '',
      });
    } else if (chunk.type === 'body') {
      const part = parts.get(chunk.node);
      if (part !== undefined) {
        part.raw += chunk.value.toString('latin1');
      }
    }
  });
  const head = message.headers
    .map(({ name, value }) => `${name}:${value.replaceAll('\n', '\r\n')}\r\n`)
    .join('');
  splitter.end(Buffer.concat([Buffer.from(`${head}\r\n`), body(message)]));
  await finished(splitter);
  return [...parts.values()];
}

test('headers that differ in their boundaries are parsed as mailsplit parses them', async () => {
  const parameter = fc.oneof(
    { weight: 3, arbitrary: fc.stringMatching(/^[Bb]oundary="[\w=.-]{0,9}"$/) },
    fc.constantFrom('charset="x"', 'boundary=b', ' boundary*0="c"', "boundary*=utf-8''d%20"),
    fc.constantFrom('boundary=" e "', '(boundary="f")', 'name="=?utf-8?q?g?="', 'start="<h>"'),
  );
  const type = fc.constantFrom('multipart/mixed', 'text/plain', 'Multipart/Related');
  const header = fc
    .tuple(type, fc.array(parameter, { maxLength: 3 }), fc.constantFrom('', ' ', '\r\n X-Y: z'))
    .map(([type, all, end]) => `Content-Type: ${[type, ...all].join('; ')}${end}\r\n`);
  const fields = ({ node }: { node: unknown }) => {
    const { contentType, charset, filename, multipart, _boundary } = node as Record<
      string,
      unknown
    >;
    return { contentType, charset, filename, multipart, boundary: String(_boundary) };
  };
  await fc.assert(
    fc.asyncProperty(header, async (text) => {
      const ours = new LineSplitter({ headerSize: 10_000, parts: 10 });
      for (const line of [...(text.match(/.*\r\n/g) ?? []), '\r\n']) ours.line(Buffer.from(line));
      const theirs = new Splitter();
      const found = new Promise((resolve) => theirs.once('data', resolve));
      theirs.end(`${text}\r\n`);
      expect(fields(ours)).toEqual(fields({ node: await found }));
    }),
    { numRuns: 300 },
  );
});

test('jumping from delimiter to delimiter finds the parts that the stream finds', async () => {
  await fc.assert(
    fc.asyncProperty(mimeMessages, fc.constantFrom(1, 3, 50, 1_000_000), async (message, chunk) => {
      const top = new TopParts(message.headers, DEFAULT_LIMITS);
      const bytes = body(message);
      for (let at = 0; at < bytes.length; at += chunk) {
        top.write(bytes.subarray(at, at + chunk));
      }
      top.end();
      const parts = (await streamed(message)).filter(
        ({ disposition }) => disposition !== 'attachment',
      );
      for (const { part, start, end } of top.found) {
        const type = part === 'text' ? 'text/plain' : 'text/html';
        // The stream leaves the line end before a closing delimiter with the part that it closes.
        const raw = parts.find((one) => one.type === type)?.raw;
        expect([raw, raw?.replace(/\r?\n$/, '')]).toContain(bytes.toString('latin1', start, end));
      }
      const types = new Set(
        parts.map(({ type }) => type).filter((type) => /^text\/(plain|html)$/.test(type)),
      );
      expect(top.found).toHaveLength(types.size);
    }),
    { numRuns: 150 },
  );
});
