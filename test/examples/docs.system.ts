import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { requireProgram } from '../helpers/peer-process.ts';
import { runCli } from '../helpers/run-cli.ts';

// What the pages in docs/ show is tried: configurations are read, nginx reads its own, commands are run.
const docs = join(import.meta.dirname, '../../docs');
const pages = readdirSync(docs).filter((name) => name.endsWith('.md'));
const blocks = pages.flatMap((page) =>
  [...readFileSync(join(docs, page), 'utf8').matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(
    ([, language = '', text = ''], n) => ({ page, n: n + 1, language, text }),
  ),
);
const shownAs = (language: string) => blocks.filter((block) => block.language === language);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'docs-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each(shownAs('conf'))('configuration of $page, block $n', ({ text }) => {
  const file = join(folder, 'clickmilter.conf');
  writeFileSync(file, text);
  expect(loadConfig(file).problems).toEqual([]);
});

test.each(shownAs('nginx'))('nginx of $page, block $n', ({ text }) => {
  const file = join(folder, 'nginx.conf');
  // Names of hosts that are not there.
  const here = text.replace(/postal\.internal|spgo\.io/g, '127.0.0.1');
  writeFileSync(
    file,
    `pid ${folder}/nginx.pid; error_log stderr; events {}
     http { access_log off; client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c;
            uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e; server { listen 127.0.0.1:1; ${here} } }`,
  );
  execFileSync(requireProgram('nginx', 'nginx-light'), ['-t', '-e', 'stderr', '-c', file], {
    stdio: 'pipe',
  });
});

const commands = shownAs('sh')
  .filter(({ page }) => page.startsWith('from-'))
  .flatMap(({ page, text }) =>
    text
      .trimEnd()
      .split('\n')
      .map((command) => ({ page, command })),
  );

test('there are commands to be tried', () => expect(commands).not.toEqual([]));

test.each(commands)('$command of $page', async ({ command }) => {
  const config = join(folder, 'moved.conf');
  const state = `state_directory = "${join(folder, 'state')}"`;
  const settings = readFileSync(
    join(docs, '../conf/examples/momentum-migration.conf'),
    'utf8',
  ).replace(/^link_store = redis\nredis .*$/m, state);
  writeFileSync(config, settings);
  const [call = '', from] = command.split(' < ');
  const [program, ...args] = call.split(' ');
  expect(program).toBe('clickmilter');
  const here = args.map((arg) => (arg === 'links.json' ? join(folder, arg) : arg));
  const message =
    'From: a@example.com\r\nTo: b@example.net\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nhttps://www.example.com/\r\n';
  const { code, stdout, stderr } = await runCli(
    ['--config', config, ...here],
    from === undefined ? '' : message,
  );
  expect(code, stderr).toBe(0);
  expect(stdout.toString()).not.toBe('');
  if (from !== undefined) {
    expect(stdout.toString()).toContain('https://click.internal.example/');
    expect(JSON.parse(readFileSync(join(folder, 'links.json'), 'utf8'))).toMatchObject([
      { target: 'https://www.example.com/', tracked: true },
    ]);
  }
});
