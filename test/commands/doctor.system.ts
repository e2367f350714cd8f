import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { examineDomain } from '../../src/commands/doctor-domains.ts';
import type { Finding } from '../../src/commands/doctor-finding.ts';
import { examinePostfix } from '../../src/commands/doctor-postfix.ts';
import { examineState } from '../../src/commands/doctor-state.ts';
import { examineStore } from '../../src/commands/doctor-store.ts';
import { configurationOf } from '../helpers/configuration.ts';
import { requireProgram } from '../helpers/peer-process.ts';
import { startRedis } from '../helpers/redis.ts';
import { runCli } from '../helpers/run-cli.ts';
import { type Service, startService } from '../helpers/service.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'doctor-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What is not well, in one line each. */
function complaints(findings: readonly Finding[]): string[] {
  return findings
    .filter(({ level }) => level !== 'ok')
    .map(({ level, message }) => `${level}: ${message}`);
}

describe('Postfix, by its own postconf', () => {
  const SMTPD = 'smtp inet n - n - - smtpd';
  const CHROOTED = 'smtp inet n - y - - smtpd';
  const OURS = 'smtpd_milters = inet:127.0.0.1:8893\n';
  let queue: string;

  beforeAll(() => {
    requireProgram('postconf', 'postfix');
    queue = join(folder, 'queue');
    mkdirSync(join(queue, 'clickmilter'), { recursive: true });
  });

  async function examine(
    main: string,
    master: string,
    listen = '127.0.0.1:8893',
    more = '',
  ): Promise<readonly Finding[]> {
    const etc = mkdtempSync(join(folder, 'etc-'));
    writeFileSync(
      join(etc, 'main.cf'),
      `compatibility_level = 3.6\nqueue_directory = ${queue}\n${main}`,
    );
    writeFileSync(join(etc, 'master.cf'), `${master}\n`);
    const config = configurationOf(`Milter_Listener { Listen "${listen}" { } }\n${more}`);
    return examinePostfix(config, etc);
  }

  test.each<[string, string, string]>([
    ['asks us', OURS, SMTPD],
    ['asks us by name', 'smtpd_milters = inet:localhost:8893\n', SMTPD],
    [
      'asks us by way of another parameter',
      `ours = inet:[127.0.0.1]:8893\nsmtpd_milters = $ours\n`,
      SMTPD,
    ],
    [
      'asks us before the signer',
      'smtpd_milters = inet:127.0.0.1:8893, inet:127.0.0.1:8891\n',
      SMTPD,
    ],
    ['asks us in master.cf', '', `${SMTPD}\n -o smtpd_milters=inet:127.0.0.1:8893`],
    [
      'says tempfail for us alone',
      'milter_default_action = accept\nsmtpd_milters = {inet:127.0.0.1:8893, default_action=tempfail}\n',
      SMTPD,
    ],
    [
      'asks us once, before a content filter',
      `${OURS}content_filter = scan:[127.0.0.1]:10024\n`,
      `${SMTPD}\n127.0.0.1:10025 inet n - n - - smtpd\n -o content_filter=\n -o receive_override_options=no_unknown_recipient_checks,no_milters`,
    ],
    [
      'asks us about submissions from this host, before a content filter',
      `${OURS}content_filter = scan:[127.0.0.1]:10024\n`,
      `${SMTPD}\n127.0.0.1:587 inet n - n - - smtpd`,
    ],
    [
      'asks us behind a proxy filter, in front of which milters see no message',
      `${OURS}smtpd_proxy_filter = 127.0.0.1:10024\n`,
      `${SMTPD}\n127.0.0.1:10025 inet n - n - - smtpd\n -o smtpd_proxy_filter=`,
    ],
  ])('is well where it %s', async (_, main, master) => {
    expect(complaints(await examine(main, master))).toEqual([]);
  });

  test.each<[string, string, string, string]>([
    ['nobody asks us', '', SMTPD, ''],
    ['somebody else is asked', 'smtpd_milters = inet:127.0.0.1:8891\n', SMTPD, ''],
    [
      'the signer comes first',
      'smtpd_milters = inet:127.0.0.1:8891, inet:127.0.0.1:8893\n',
      SMTPD,
      '',
    ],
    ['accept loses mail', `${OURS}milter_default_action = accept\n`, SMTPD, ''],
    ['reject turns mail away', `${OURS}milter_default_action = reject\n`, SMTPD, ''],
    [
      'a service has its own milters',
      OURS,
      `${SMTPD}\n587 inet n - n - - smtpd\n -o smtpd_milters=`,
      '',
    ],
    [
      'a content filter hands mail back to us',
      OURS,
      `${SMTPD}\n -o content_filter=scan:[127.0.0.1]:10024\nlocalhost:10025 inet n - n - - smtpd\n[::1]:10026 inet n - n - - smtpd`,
      '',
    ],
    ['milters are switched off', OURS, `${SMTPD}\n -o receive_override_options=no_milters`, ''],
    ['no time for Redis', `${OURS}milter_content_timeout = 10s\n`, SMTPD, 'link_store = redis'],
    ['an old protocol', `${OURS}milter_protocol = 2\n`, SMTPD, ''],
  ])('%s', async (name, main, master, more) => {
    expect(complaints(await examine(main, master, undefined, more)).join('\n')).toMatchSnapshot(
      name,
    );
  });

  test('a chroot and a socket outside of it', async () => {
    const outside = join(folder, 'milter.sock');
    const main = `smtpd_milters = unix:${outside}\n`;
    expect(complaints(await examine(main, SMTPD, outside))).toEqual([]);
    expect(complaints(await examine(main, CHROOTED, outside))).toEqual([
      `error: smtp/inet: smtpd runs in a chroot and cannot reach unix:${outside}: Listen at a path in the queue folder, and name it without that folder`,
      expect.stringMatching(/^error: no smtpd asks us/),
    ]);
  });

  test.each([
    ['[::1]:8893', CHROOTED, 'inet:[::1]:8893'],
    ['10.9.9.9:8893', CHROOTED, 'inet:10.9.9.9:8893'],
    ['QUEUE/clickmilter/milter.sock', CHROOTED, 'unix:clickmilter/milter.sock'],
    ['FOLDER/milter.sock', SMTPD, 'unix:FOLDER/milter.sock'],
  ])('its advice can be followed: %s', async (listen, master, milter) => {
    const placed = (text: string) => text.replace('QUEUE', queue).replace('FOLDER', folder);
    const advised = `{${placed(milter)}, default_action=tempfail}`;
    expect(complaints(await examine('', master, placed(listen)))).toEqual([
      `error: no smtpd asks us: postconf -e 'smtpd_milters = ${advised}' && postfix reload`,
    ]);
    const main = `smtpd_milters = ${advised}\n`;
    expect(complaints(await examine(main, master, placed(listen)))).toEqual([]);
  });

  test('localhost is nobody who listens on another address', async () => {
    const findings = await examine('smtpd_milters = inet:localhost:8893\n', SMTPD, '10.9.9.9:8893');
    expect(complaints(findings)).toEqual([expect.stringMatching(/^error: no smtpd asks us/)]);
  });

  test('a chroot and a socket in the queue folder, which Postfix may write to or not', async () => {
    const inside = join(queue, 'clickmilter/milter.sock');
    const main = 'smtpd_milters = unix:/clickmilter/milter.sock\n';
    expect(complaints(await examine(main, CHROOTED, inside))).toEqual([]);
    writeFileSync(inside, ''); // its mode is all that counts here
    chmodSync(inside, 0o660);
    expect(complaints(await examine(main, CHROOTED, inside))).toEqual([
      `error: the user postfix may not write to ${inside} (mode 660): File_Mode = 0660 and File_Group = postfix, or SocketGroup=postfix where systemd opens it`,
    ]);
    chmodSync(inside, 0o666);
    expect(complaints(await examine(main, CHROOTED, inside))).toEqual([]);
  });
});

test('Redis that may lose links', async () => {
  const redis = await startRedis();
  try {
    const config = configurationOf(`link_store = redis\nredis { url = "${redis.url}" }`);
    const findings = await examineStore(config);
    expect(findings[0]).toMatchObject({
      level: 'ok',
      message: expect.stringMatching(/^Redis \d+\.\d/),
    });
    expect(complaints(findings)).toEqual([expect.stringContaining('Redis keeps nothing on disk')]);
  } finally {
    await redis.stop();
  }
  const gone = configurationOf(
    `link_store = redis\nredis { url = "${redis.url}" command_timeout = 0.2 }`,
  );
  expect(complaints(await examineStore(gone))).toEqual([
    expect.stringMatching(/^error: .*is it running/),
  ]);
});

describe('keys', () => {
  const examine = async (state: string) =>
    complaints(await examineState(configurationOf(`state_directory = "${state}"`)));

  test('that others can read, that are damaged, that are gone', async () => {
    const state = mkdtempSync(join(folder, 'state-'));
    const keys = join(state, 'keys');
    expect(await examine(state)).toEqual([]);
    writeFileSync(keys, `5c 2026-01-01T00:00:00Z ${'A'.repeat(43)}\n`, { mode: 0o600 });
    expect(await examine(state)).toEqual([]);
    chmodSync(keys, 0o644);
    expect(await examine(state)).toEqual([
      `error: ${keys} has mode 644, whoever can read it can forge links: chmod 600 ${keys}`,
    ]);
    chmodSync(keys, 0o640);
    expect(await examine(state)).toEqual([expect.stringMatching(/^warning: .* has mode 640/)]);
    chmodSync(keys, 0o600);
    writeFileSync(keys, 'nonsense\n');
    expect(await examine(state)).toEqual([expect.stringMatching(/^error: .*keys:1/)]);
    writeFileSync(`${keys}.made`, '');
    unlinkSync(keys);
    expect(await examine(state)).toEqual([expect.stringMatching(/^error: .* is gone/)]);
  });
});

describe('a certificate', () => {
  /** What is said of an HTTPS server whose certificate, its own authority, ends then; to every request it answers 404. */
  async function examined(end: string): Promise<string[]> {
    const ca = mkdtempSync(join(folder, 'ca-'));
    const [config, cert, key, csr] = ['ca.conf', 'cert.pem', 'key.pem', 'csr.pem'].map((name) =>
      join(ca, name),
    ) as [string, string, string, string];
    writeFileSync(join(ca, 'index'), '');
    writeFileSync(
      config,
      `[ca]\ndefault_ca = own\n[own]\ndatabase = ${ca}/index\nnew_certs_dir = ${ca}\nrand_serial = yes\n` +
        'default_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n',
    );
    const openssl = (...args: string[]) =>
      execFileSync(requireProgram('openssl', 'openssl'), args, { stdio: 'pipe' });
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    openssl('req', ...curve, '-subj', '/CN=localhost', '-keyout', key, '-out', csr);
    const period = ['-startdate', '20240101000000Z', '-enddate', end];
    const sign = ['ca', '-batch', '-selfsign', '-config', config, '-keyfile', key, ...period];
    openssl(...sign, '-in', csr, '-out', cert);
    const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (_, answer) =>
      answer.writeHead(404).end(),
    );
    await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const domain = `localhost:${port}`;
      return complaints(await examineDomain({ scheme: 'https', domain }, undefined));
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }
  const unknown =
    'warning: it answers, but whether by our redirect cannot be told without the keys';
  const inDays = (days: number) =>
    `${new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10).replaceAll('-', '')}000000Z`;

  test('that has ended', async () => {
    expect(await examined('20240201000000Z')).toEqual([
      'error: its certificate ended on 2024-02-01: renew it',
      unknown,
    ]);
  });

  test('that nobody vouches for', async () => {
    expect(await examined(inDays(90))).toEqual([
      'error: browsers will not trust its certificate (DEPTH_ZERO_SELF_SIGNED_CERT)',
      unknown,
    ]);
  });
});

describe('the whole of it', () => {
  let service: Service;
  beforeAll(async () => {
    service = await startService(
      'ESMTP_Listener { click_tracking_enabled = on  tracking_domain = "localhost" }',
    );
  });
  afterAll(() => service.stop());

  test('a service that runs, and one that does not', async () => {
    const settings = `ESMTP_Listener { click_tracking_enabled = on tracking_domain = "localhost:${service.httpPort}" }
Control_Listener { enable = off }
state_directory = "${service.dir}/var"
Milter_Listener { Listen "127.0.0.1:${service.milterPort}" { } }
HTTP_Listener { Listen "127.0.0.1:${service.httpPort}" { } }\n`;
    const file = join(folder, 'doctor.conf');
    writeFileSync(file, settings);
    const etc = mkdtempSync(join(folder, 'etc-'));
    writeFileSync(
      join(etc, 'main.cf'),
      `compatibility_level = 3.6\nsmtpd_milters = ${service.milter}\n`,
    );
    writeFileSync(join(etc, 'master.cf'), 'smtp inet n - n - - smtpd\n');

    const well = await runCli(['--config', file, 'doctor', '--postfix', etc]);
    const text = well.stdout
      .toString()
      .replaceAll(folder, 'FOLDER')
      .replaceAll(service.dir, 'SERVICE')
      .replaceAll(String(service.milterPort), '8893')
      .replaceAll(String(service.httpPort), '8080')
      .replace(/\d+ MiB/, '… MiB')
      .replace(/clock: .*/, 'clock: …');
    expect(text).toMatchInlineSnapshot(`
      "ok       configuration: FOLDER/doctor.conf: no problems
      ok       keys: SERVICE/var/keys holds 1 key
      ok       disk: … MiB are free at SERVICE/var
      ok       redis: not used: links are sealed, and clicks go to the journal
      ok       service: the milter, 127.0.0.1:8893, negotiates version 6 of the protocol
      ok       postfix: 1 of 1 smtpd services ask us
      ok       postfix: mail handed to sendmail(1) on this machine does not pass us (non_smtpd_milters)
      ok       http://localhost:8080: a link there is redirected to its target
      ok       clock: …
      "
    `);
    expect(well.code).toBe(0);

    await service.kill();
    const ill = await runCli(['--config', file, 'doctor', '--postfix', etc, '--json']);
    const errors = (JSON.parse(ill.stdout.toString()) as Finding[]).filter(
      ({ level }) => level === 'error',
    );
    expect(errors.map(({ subject }) => subject)).toEqual([
      'service',
      `http://localhost:${service.httpPort}`,
    ]);
    expect(ill.code).toBe(69);
  });

  test('a configuration with errors', async () => {
    const file = join(folder, 'wrong.conf');
    writeFileSync(file, 'worker = 2\n');
    const { code, stdout } = await runCli(['--config', file, 'doctor']);
    expect(stdout.toString()).toBe(
      `error    configuration: ${file}:1:1: unknown option worker in the global scope; did you mean workers?\n`,
    );
    expect(code).toBe(78);
  });
});
