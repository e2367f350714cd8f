import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { formatProblem } from '../../src/config/problem.ts';
import { stanzas } from '../../src/config/stanzas.ts';
import { configurationOf } from '../helpers/configuration.ts';

const folder = mkdtempSync(join(tmpdir(), 'clickmilter-load-'));
afterAll(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'test.conf');

function load(text: string) {
  writeFileSync(file, text);
  return loadConfig(file);
}

describe('no text is too much for it', () => {
  const names = stanzas.flatMap(({ name, options }) => [name, ...Object.keys(options)]);
  const piece = fc.oneof(
    fc.constantFrom(...'={}[]()"\'#/\\\n ', '/*', '*/', 'include', '"x"', '10.0.0.0/8', 'on'),
    fc.constantFrom(...names),
    fc.string({ maxLength: 5 }),
  );

  test('it is a configuration, or there are errors in places that exist', () => {
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 60 }),
        fc.constantFrom('', ' '),
        (pieces, between) => {
          const text = pieces.join(between);
          const lines = text.split('\n');
          const { config, problems } = load(text);
          expect(config === undefined).toBe(problems.some(({ severity }) => severity === 'error'));
          for (const { file: place, line, column } of problems) {
            if (place !== file) continue; // it may include "/"
            expect(column).toBeGreaterThanOrEqual(1);
            expect(column).toBeLessThanOrEqual((lines[line - 1]?.length ?? 0) + 1);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('files that are not UTF-8', () => {
  test.each([
    ['a comment in Latin-1', 'latin1', 'workers = 1\n\n# für Müller\n', ['3:1: warning: ']],
    ['a value in Latin-1', 'latin1', 'events { node_name = "Müller" }', ['1:1: warning: ']],
    ['UTF-8', 'utf8', 'events { node_name = "Müller" }', []],
  ] as const)('%s', (_name, charset, text, places) => {
    writeFileSync(file, Buffer.from(text, charset));
    const { config, problems } = loadConfig(file);
    expect(config).toBeDefined();
    expect(problems.map(formatProblem)).toEqual(
      places.map((place) =>
        expect.stringMatching(
          new RegExp(`:${place}this line is not UTF-8: save the file as UTF-8`),
        ),
      ),
    );
  });

  test('UTF-16 is said before the errors that follow from it', () => {
    writeFileSync(file, Buffer.from('\ufefflog { }\n', 'utf16le'));
    expect(loadConfig(file).problems[0]?.message).toContain('not UTF-8');
  });
});

describe('files that cannot be read', () => {
  const said = (name: string) =>
    loadConfig(name).problems.map((p) => formatProblem(p).replaceAll(folder, ''));

  test('the configuration itself', () => {
    const subfolder = join(folder, 'sub');
    mkdirSync(subfolder);
    expect([...said(join(folder, 'none.conf')), ...said(subfolder)]).toMatchInlineSnapshot(`
      [
        "/none.conf:1:1: cannot read /none.conf: no such file or folder",
        "/sub:1:1: cannot read /sub: not a file",
      ]
    `);
  });

  test('what it includes', () => {
    writeFileSync(file, 'include "/dev/null"\ninclude ""\n');
    expect(said(file)).toMatchInlineSnapshot(`
      [
        "/test.conf:1:9: cannot read /dev/null: not a file",
        "/test.conf:2:9: /test.conf includes itself: /test.conf > /test.conf",
      ]
    `);
  });

  test('files of over 16 MiB together, said once', () => {
    const many = join(folder, 'many');
    mkdirSync(many);
    writeFileSync(join(many, '1'), 'workers = x');
    const comment = `# ${'x'.repeat(10 * 1024 * 1024)}`;
    for (const name of ['2', '3', '4']) writeFileSync(join(many, name), comment);
    writeFileSync(file, 'include "many"\n');
    expect(said(file)).toEqual([
      '/test.conf:1:9: cannot read /many/3: with it, the files have over 16777216 bytes',
      expect.stringContaining('/many/1:1:11: '),
    ]);
  });
});

test('a NUL, which would end the path of a socket', () => {
  const { problems } = load('Milter_Listener { Listen "/run/a\0b" { } }');
  expect(problems.map(({ column, message }) => [column, message])).toEqual([
    [19, 'the path of a unix socket must not contain NUL'],
  ]);
});

describe('values', () => {
  test('defaults of an empty configuration', () => {
    const { scopes, file: path, stateDirectory, events, ...values } = configurationOf('');
    const { nodeName, ...others } = events;
    expect(nodeName).toBe(hostname());
    const all = JSON.stringify({ ...values, events: others }, null, 2);
    const state = all.replaceAll(stateDirectory, '$state');
    expect(path).toMatch(/^\//);
    expect(scopes.match({}).chain()).toEqual([]);
    expect(state).toMatchSnapshot();
  });

  test('addresses to listen at', () => {
    const { milter, http, control } = configurationOf(`
      Milter_Listener {
        Listen "/run/a.sock" { File_Mode = 0600 File_Owner = milter File_Group = "postfix" }
        Listen "unix:/run/b.sock" { }
        Listen "127.0.0.1:1" { enable = off }
      }
      HTTP_Listener { Listen ":80" { } Listen "[::]:81" { } Listen "0.0.0.0:82" { } Listen "[::1]:83" { } }
      Control_Listener { enable = off Listen "127.0.0.1:1" { } }`);
    expect(milter.listen).toEqual([
      { path: '/run/a.sock', fileMode: 0o600, fileOwner: 'milter', fileGroup: 'postfix' },
      { path: '/run/b.sock', fileMode: 0o660 },
    ]);
    expect(http.listen).toEqual([
      { port: 80 },
      { host: '::', port: 81 },
      { host: '0.0.0.0', port: 82 },
      { host: '::1', port: 83 },
    ]);
    expect(control.listen).toEqual([]);
  });

  test('units: sizes in bytes, durations in milliseconds', () => {
    const { milter, events, redis } = configurationOf(`
      Milter_Listener { max_message_size = 25M idle_timeout = 30 }
      events { journal_max_size = 2g journal_fsync = 0.25 }
      redis { command_timeout = 1.5 }`);
    expect([milter.maxMessageSize, milter.idleTimeoutMs]).toEqual([26_214_400, 30_000]);
    expect([events.journalMaxSize, events.journalFsyncMs]).toEqual([2_147_483_648, 250]);
    expect(redis.commandTimeoutMs).toBe(1500);
  });

  test('a relative path starts at the file it is written in, state at the state directory', () => {
    mkdirSync(join(folder, 'tls'));
    writeFileSync(
      join(folder, 'tls/tls.conf'),
      'tls_certificate = "cert.pem" tls_key = "/key.pem"',
    );
    const { config } = load('HTTP_Listener { include "tls/tls.conf" } state_directory = "state"');
    expect(config?.http.tlsCertificate).toBe(join(folder, 'tls/cert.pem'));
    expect(config?.http.tlsKey).toBe('/key.pem');
    expect(config?.sealed.keyFile).toBe(join(folder, 'state/keys'));
    expect(config?.events.journal).toBe(join(folder, 'state/events'));
  });

  test('smtpapi counts where its stanza is', () => {
    expect(configurationOf('').smtpapi).toBe(false);
    expect(configurationOf('SMTPAPI { }').smtpapi).toBe(true);
  });
});
