import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { postBatch } from '../../src/click/post-batch.ts';
import { freePort } from '../helpers/free-port.ts';
import { startPeer } from '../helpers/peer-process.ts';
import { poll } from '../helpers/poll.ts';

// A project that depends on the packed tarball, and has its runtime dependencies and nothing else.
const checkout = join(import.meta.dirname, '../..');
const modules = join(checkout, 'node_modules');
let folder: string;

const run = (program: string, args: readonly string[], cwd = folder) =>
  execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

function link(name: string): void {
  const place = join(folder, 'node_modules', name);
  mkdirSync(dirname(place), { recursive: true });
  symlinkSync(join(modules, name), place);
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'libraries-'));
  const pack = join(folder, 'pack');
  mkdirSync(pack);
  run(
    join(modules, '.bin/tsc'),
    ['-p', 'tsconfig.build.json', '--outDir', join(pack, 'dist')],
    checkout,
  );
  for (const name of ['package.json', 'README.md', 'LICENSE', 'conf', 'docs', 'systemd']) {
    cpSync(join(checkout, name), join(pack, name), { recursive: true });
  }
  const tarball = run('npm', ['pack', '--silent', '--ignore-scripts'], pack).trim();
  const installed = join(folder, 'node_modules/clickmilter');
  mkdirSync(installed, { recursive: true });
  run('tar', ['-xzf', join(pack, tarball), '--strip-components=1', '-C', installed]);
  const { dependencies } = JSON.parse(readFileSync(join(pack, 'package.json'), 'utf8'));
  for (const name of [...Object.keys(dependencies), '@types/node']) link(name);
  rmSync(pack, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(
    join(folder, 'newsletter.eml'),
    'Content-Type: text/html\r\n\r\n<a href="https://shop.example/">Shop</a>\r\n',
  );
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

/** Compiles a module with all that TypeScript can check, declarations of the package included. */
function compile(file: string, source: string): string {
  writeFileSync(join(folder, file), source);
  const options = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess'];
  run(join(modules, '.bin/tsc'), [
    ...options,
    ...['--target', 'es2023', '--module', 'nodenext', '--types', 'node', file],
  ]);
  return file.replace(/ts$/, 'js');
}

/** The examples of a page, in order. */
const examples = (page: string) =>
  [...readFileSync(join(checkout, 'docs', page), 'utf8').matchAll(/^```ts\n(.*?)\n```$/gms)].map(
    ([, source = '']) => source,
  );

describe('clickmilter/message', () => {
  const [stream = '', whole = ''] = examples('message-library.md');

  test('the examples of its page compile and do what they say', () => {
    expect(run('node', [compile('stream.mts', stream)])).toBe(
      'Content-Type: text/html\r\n\r\n<a href="https://click.example.com/1">Shop</a>\r\n',
    );
    const output = run('node', [compile('whole.mts', whole)]);
    expect(output).toContain("target: 'https://shop.example/?a=1&b=2'");
    expect(output).toContain('<a href="https://click.example.com/1">Shop</a>\n');
  }, 60_000);

  test('CommonJS gets it as well', () => {
    const file = compile(
      'common.cts',
      `import { openMessage, type RewrittenLink } from 'clickmilter/message';
const open = openMessage([]);
open.write(Buffer.from('https://a.example/'));
const [link]: readonly RewrittenLink[] = open.end().rewrite(() => 'https://t.example/').links;
console.log(link?.url);`,
    );
    expect(run('node', [file])).toBe('https://t.example/\n');
  }, 60_000);
});

describe('clickmilter/milter', () => {
  test('the example of its page compiles, for CommonJS too', () => {
    const [example = ''] = examples('milter-library.md');
    compile('milter.mts', example);
    const file = compile(
      'milter.cts',
      `import { createMilterServer } from 'clickmilter/milter';
console.log(typeof createMilterServer({ begin: () => ({}) }).listen);`,
    );
    expect(run('node', [file])).toBe('function\n');
  }, 60_000);
});

describe('clickmilter/events', () => {
  const [receiver = ''] = examples('events.md');

  test('the receiver of its page takes what the webhook posts, and nothing else', async () => {
    const port = await freePort();
    const file = compile('receiver.mts', receiver.replace('8082', String(port)));
    const peer = startPeer('node', [join(folder, file)]);
    onTestFinished(async () => void (await peer.stop()));
    const webhook = `http://127.0.0.1:${port}/`;
    const isThere = () => fetch(webhook).then(Boolean, () => false);
    await poll('the receiver', isThere);
    const track_event = { event_id: '1', type: 'click', target_link_url: 'https://a.example/' };
    const batch = {
      webhook,
      id: '1',
      events: [{ id: '1', event: JSON.stringify({ msys: { track_event } }) }],
      webhookTimeoutMs: 10_000,
    };
    const webhookSecret = 'the webhook_secret of the configuration';
    expect(await postBatch({ ...batch, webhookSecret })).toEqual({ delivered: true });
    for (const other of [{ webhookSecret: 'another' }, {}]) {
      expect(await postBatch({ ...batch, ...other })).toMatchObject({ status: 401 });
    }
    expect(peer.stdout()).toBe('1 click undefined https://a.example/\n');
  }, 60_000);

  test('its schema is there for import, and for require', () => {
    const file = compile(
      'schema.mts',
      `import schema from 'clickmilter/events/schema.json' with { type: 'json' };
console.log(schema.title);`,
    );
    expect(run('node', ['--no-warnings', file])).toBe('Click event\n');
    const common = compile(
      'events.cts',
      `import schema = require('clickmilter/events/schema.json');
import { signature, type TrackEvent, verifySignature } from 'clickmilter/events';
const required: readonly string[] = schema.definitions.track_event.required;
const known: keyof TrackEvent = 'event_id';
// @ts-expect-error: there is no such field.
const unknown: keyof TrackEvent = 'event';
const now = Date.now();
console.log(required.includes(known), verifySignature(signature('x', 'y', now / 1000 | 0), 'x', 'y', { now }));`,
    );
    expect(run('node', [common])).toBe('true true\n');
  }, 60_000);
});

describe('clickmilter/redirect', () => {
  const [example = ''] = examples('redirect-library.md');

  test('the server of its page follows a link that the CLI has made', async () => {
    const port = await freePort();
    const page = readFileSync(join(checkout, 'docs/redirect-library.md'), 'utf8');
    const [, settings = ''] = /^```conf\n(.*?)^```$/ms.exec(page) ?? [];
    writeFileSync(join(folder, 'clickmilter.conf'), settings.replace('8080', String(port)));
    const program = 'node_modules/clickmilter/dist/cli.js';
    const message = readFileSync(join(folder, 'newsletter.eml'));
    const args = [program, '-c', 'clickmilter.conf', 'rewrite', '--live'];
    const rewritten = execFileSync('node', args, { cwd: folder, input: message }).toString();
    const [, url = ''] = /href="(.*?)"/.exec(rewritten) ?? [];
    const file = compile('redirect.mts', example.replace('8080', String(port)));
    const peer = startPeer('node', [file], { cwd: folder });
    onTestFinished(async () => void (await peer.stop()));
    const answer = await poll('the server', () =>
      fetch(url, { redirect: 'manual' }).catch(() => undefined),
    );
    expect(answer.status).toBe(302);
    expect(answer.headers.get('location')).toBe('https://shop.example/');
    expect(peer.stdout()).toBe('click https://shop.example/\n');
    expect(await peer.stop()).toBe(0);
  }, 60_000);

  test('CommonJS gets it as well', () => {
    const file = compile(
      'redirect.cts',
      `import { createRedirectHandler, type RedirectHandlerOptions } from 'clickmilter/redirect';
const options: RedirectHandlerOptions = { stateDirectory: '.', redis: { url: 'smtp://a' } };
createRedirectHandler(options).catch(({ name }) => console.log(name));`,
    );
    expect(run('node', [file])).toBe('TypeError\n');
  }, 60_000);
});
