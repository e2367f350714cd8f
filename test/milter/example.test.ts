import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import * as milter from '../../src/milter/milter.ts';

test('the milter of ten lines, as it stands in the documentation, is one', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'clickmilter-example-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const source = readFileSync(new URL('../../src/milter/milter.ts', import.meta.url), 'utf8');
  const example = source
    .split('\n')
    .filter((line) => line.startsWith(' *     '))
    .map((line) => line.slice(' *     '.length))
    .join('\n')
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
