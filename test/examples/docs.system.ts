import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { examinePostfix } from '../../src/commands/doctor-postfix.ts';
import { loadConfig } from '../../src/config/load.ts';
import { stanzas } from '../../src/config/stanzas.ts';
import { configurationOf } from '../helpers/configuration.ts';
import { freePort } from '../helpers/free-port.ts';
import { requireProgram, startPeer } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';
import { runCli } from '../helpers/run-cli.ts';

// What the README and the pages in docs/ show is tried: configurations are read, nginx routes by its own, commands are run.
const root = join(import.meta.dirname, '../..');
const read = (page: string) => readFileSync(join(root, page), 'utf8');
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
const fenced = /^```(\w*)\n(.*?)^```$/gms;
const blocks = pages.flatMap((page) =>
  [...read(page).matchAll(fenced)].map(([, language = '', text = ''], n) => ({
    page,
    n: n + 1,
    language,
    text,
  })),
);
const shownAs = (language: string) => blocks.filter((block) => block.language === language);
/** The indented blocks that begin with a stanza. */
const stanzaNames = new Set(stanzas.map(({ name }) => name));
const indented = pages.flatMap((page) =>
  [
    ...read(page)
      .replace(fenced, '')
      .matchAll(/(?<=\n\n)(?: {4}.*\n)+/g),
  ].flatMap(([text], n) =>
    stanzaNames.has(/\w+/.exec(text)?.[0] ?? '') ? [{ page, n: n + 1, text }] : [],
  ),
);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'docs-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each([...shownAs('conf'), ...indented])('configuration of $page, block $n', ({ text }) => {
  const file = join(folder, 'clickmilter.conf');
  writeFileSync(file, text);
  expect(loadConfig(file).problems).toEqual([]);
});

test('the README has indented configurations', () => {
  expect(indented.map(({ page }) => page)).toContain('README.md');
});

test("doctor finds nothing wrong with the README's lines for main.cf and master.cf", async () => {
  const [main = ''] = /^(?: {4}\w*smtpd_milters = .*\n)+/m.exec(read('README.md')) ?? [];
  const [, own = ''] = /`(-o smtpd_milters=.*)`/.exec(read('README.md')) ?? [];
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    // Postfix waits until it is sure that nobody is still writing to it.
    utimesSync(join(folder, name), 0, 0);
  };
  write('main.cf', `compatibility_level = 3.6\n${main.replace(/^ +/gm, '')}`);
  write('master.cf', `smtp inet n - y - - smtpd\nsubmission inet n - y - - smtpd\n  ${own}\n`);
  const findings = await examinePostfix(configurationOf(''), folder);
  const about = findings.filter(({ message }) => /milters|uses? clickmilter|passes/.test(message));
  expect(about.map(({ level, message }) => `${level}: ${message}`)).toEqual([
    'ok: 2 of 2 smtpd services use clickmilter',
    'ok: mail from sendmail(1) on this machine passes clickmilter',
  ]);
});

/** A server that answers each request with its name. */
async function startNamed(name: string): Promise<{ port: number; close: () => void }> {
  const server = createServer((_, response) => response.end(name));
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return { port, close: () => server.close() };
}

test.each(shownAs('nginx'))('nginx of $page, block $n', async ({ page, text }) => {
  const [old, ours] = [await startNamed('old'), await startNamed('ours')];
  const port = await freePort();
  const file = join(folder, 'nginx.conf');
  const here = text
    .replace(/http:\/\/postal\.internal:5000|https:\/\/spgo\.io/, `http://127.0.0.1:${old.port}`)
    .replace('127.0.0.1:8080', `127.0.0.1:${ours.port}`);
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log stderr; events {}
     http { access_log off; client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c;
            uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e; server { listen 127.0.0.1:${port}; ${here} } }`,
  );
  const nginx = startPeer(requireProgram('nginx', 'nginx-light'), ['-e', 'stderr', '-c', file]);
  onTestFinished(async () => {
    await nginx.stop();
    for (const server of [old, ours]) server.close();
  });
  const get = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  await poll('nginx', async () => {
    if (!nginx.running) throw new Error(nginx.output());
    return get('/').catch(() => undefined);
  });
  const paths = [
    ...['/', '/robots.txt', '/3S7S2E0jZkb2wg9MuVu4nqZB', '/641Ez0_k7C5-CIl8_mOsh'],
    ...['/f/shop/3S7S2E0jZkb2wg9MuVu4nqZB', '/f/a/b/3S7S2E0jZkb2wg9MuVu4nqZB'],
  ];
  const theirs = {
    'docs/from-postal.md': ['/acme/Ab3dEfGh', '/img/acme/Ab3dEfGh', '/my-org/a1B2c3D4'],
    // As in SparkPost's documentation of engagement tracking: parts that end in ~, between slashes.
    'docs/from-sparkpost.md': ['/f/a/yfL2bVqs~~/AAA~/RgRhPJ5~', '/f/a/Ab_-c~/x'],
  }[page];
  const answers: Record<string, string> = {};
  for (const path of [...paths, ...(theirs ?? [])]) answers[path] = await get(path);
  expect(answers).toEqual({
    ...Object.fromEntries(paths.map((path) => [path, 'ours'])),
    ...Object.fromEntries((theirs ?? []).map((path) => [path, 'old'])),
  });
  expect(theirs).toBeDefined();
});

const commands = shownAs('sh')
  .filter(({ page }) => page.startsWith('docs/from-'))
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
    join(root, 'conf/examples/momentum-migration.conf'),
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
