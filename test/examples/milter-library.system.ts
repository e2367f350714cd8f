import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

// The milter library as its users get it: out of the packed tarball, with nothing else installed.

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/milter-library.md'), 'utf8');
const shownAs = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, text = '']) => text,
  );

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'milter-library-'));
  run('npm', 'pack', '--silent', '--ignore-scripts', '--pack-destination', folder, root);
  mkdirSync(join(folder, 'node_modules/clickmilter'), { recursive: true });
  run('sh', '-c', 'tar -xzf *.tgz -C node_modules/clickmilter --strip-components=1');
  mkdirSync(join(folder, 'node_modules/@types'));
  symlinkSync(join(root, 'node_modules/@types/node'), join(folder, 'node_modules/@types/node'));
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

function run(file: string, ...args: string[]): string {
  return execFileSync(file, args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
}

/** Compiles with every check, those of the library's own types included. */
function compile(file: string, text: string): void {
  writeFileSync(join(folder, file), text);
  const options = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess'];
  const target = ['--module', 'nodenext', '--target', 'es2023', '--types', 'node'];
  try {
    run(join(root, 'node_modules/.bin/tsc'), '--ignoreConfig', ...options, ...target, file);
  } catch (error) {
    expect.fail((error as { stdout: string }).stdout);
  }
}

test('the examples are strict TypeScript', () => {
  const examples = shownAs('ts');
  expect(examples).toHaveLength(2);
  for (const [n, text] of examples.entries()) compile(`example-${n}.mts`, text);
});

test('the example of a test prints what the page says', () => {
  compile('test.mts', shownAs('ts').at(-1) ?? '');
  expect(run('node', 'test.mjs')).toBe(shownAs('text')[0]);
});

test('CommonJS requires it', () => {
  writeFileSync(join(folder, 'filter.cjs'), shownAs('js')[0] ?? '');
  const script = `require('./filter.cjs').listen({ host: '127.0.0.1', port: 0 }).then(({ port }) => {
    console.log(port > 0);
    process.exit();
  })`;
  expect(run('node', '-e', script)).toBe('true\n');
});

test('CommonJS imports it, typed', () => {
  compile(
    'import.cts',
    `async function main(): Promise<void> {
       const { reply } = await import('clickmilter/milter');
       const { code }: { readonly code: number } = reply(550, '5.7.1', 'no');
       console.log(code);
     }
     void main();`,
  );
  expect(run('node', 'import.cjs')).toBe('550\n');
});

test('nothing else of the package is exported', () => {
  expect(() => run('node', '-e', "require('clickmilter/dist/cli.js')")).toThrow(
    'ERR_PACKAGE_PATH_NOT_EXPORTED',
  );
});
