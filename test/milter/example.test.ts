import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import * as milter from '../../src/milter/milter.ts';
import { DEFAULT_LIMITS, DEFAULT_TIMEOUTS } from '../../src/milter/options.ts';

const textOf = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** The example of the library's own documentation. */
const documented = textOf('src/milter/milter.ts')
  .split('\n')
  .filter((line) => /^ \* {5}|^ \*$/.test(line))
  .map((line) => line.slice(' *     '.length))
  .join('\n')
  .trim();

test('the page of the library shows the milter of the documentation', () => {
  const section = textOf('docs/milter-library.md').split('## A milter of ten lines\n')[1] ?? '';
  expect(/```ts\n(.*?)\n```/s.exec(section)?.[1]).toBe(documented);
});

test('the page of the library lists each limit and time-out with its default', () => {
  const listed = (group: string) =>
    Object.fromEntries(
      [
        ...textOf('docs/milter-library.md').matchAll(
          new RegExp(`^\\| \`${group}\\.(\\w+)\` \\| ([\\d ]+?)(?: (s|MiB))? \\|`, 'gm'),
        ),
      ].map(([, name, digits = '', unit = '']) => [
        name,
        Number(digits.replace(' ', '')) * ({ s: 1000, MiB: 1 << 20 }[unit] ?? 1),
      ]),
    );
  expect(listed('limits')).toEqual(DEFAULT_LIMITS);
  expect(listed('timeouts')).toEqual(DEFAULT_TIMEOUTS);
});

test('the milter of ten lines, as it stands in the documentation, is one', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'clickmilter-example-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const example = documented
    .replace("import { createMilterServer, reply } from 'clickmilter/milter';", '')
    .replace('/run/size.sock', join(dir, 'size.sock'));
  const run = new Function(
    'createMilterServer',
    'reply',
    `return (async () => { ${example}; return server; })()`,
  );
  const server: milter.MilterServer = await run(milter.createMilterServer, milter.reply);
  onTestFinished(() => void server.close({ deadline: 0 }));

  const client = await milter.connectMilter({ path: join(dir, 'size.sock') });
  const result = await client.send({
    message: Buffer.from('Subject: x\r\n\r\n12345\r\n'),
    recipients: ['<a@b>', '<nobody@b>'],
  });
  expect(result.message.toString()).toBe('Subject: x\r\nX-Body-Size: 7\r\n\r\n12345\r\n');
  expect(result.refused.get('<nobody@b>')).toEqual({
    code: 550,
    enhancedCode: '5.1.1',
    lines: ['Nobody lives here'],
  });
  await client.quit();
});
