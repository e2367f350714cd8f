import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
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
import { examineState } from '../../src/commands/doctor-state.ts';
import { examineStore } from '../../src/commands/doctor-store.ts';
import { silent } from '../../src/lib/logger.ts';
import { noMetrics } from '../../src/lib/metrics.ts';
import { newSealKey, SealKeys } from '../../src/link/seal-keys.ts';
import { openStore } from '../../src/store/open-store.ts';
import { complaints } from '../helpers/complaints.ts';
import { configurationOf } from '../helpers/configuration.ts';
import { requireProgram } from '../helpers/peer-process.ts';
import { startRedis } from '../helpers/redis.ts';
import { runCli } from '../helpers/run-cli.ts';
import { type Service, startService } from '../helpers/service.ts';

const shipped = readFileSync(new URL('../../conf/clickmilter.conf', import.meta.url), 'utf8');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'doctor-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('Redis that may lose links', async () => {
  const redis = await startRedis();
  try {
    const config = configurationOf(`link_store = redis\nredis { url = "${redis.url}" }`);
    const findings = await examineStore(config);
    expect(findings[0]).toMatchObject({
      level: 'ok',
      message: expect.stringMatching(/^Redis \d+\.\d/),
    });
    const nothingKept = expect.stringContaining('Redis keeps nothing on disk');
    expect(complaints(findings)).toEqual([nothingKept]);
    const store = await openStore(config, silent, noMetrics);
    const { fingerprint } = new SealKeys([newSealKey([], 0)]);
    await store.health({ fingerprint, announceAs: 'mx2' });
    await store.close();
    const keys = new SealKeys([newSealKey([], 0)]);
    expect(complaints(await examineStore(config, keys))).toEqual([
      nothingKept,
      expect.stringContaining('other sealing keys on mx2'),
    ]);
    const rights = /^# {2}# An ACL user needs: (.*)$/m.exec(shipped)?.[1]?.split(' ') ?? [];
    const asUser = configurationOf(
      `link_store = redis\nredis { url = "${redis.url}" username = clickmilter password = hush }`,
    );
    await redis.cli('acl', 'setuser', 'clickmilter', 'on', '>hush', ...rights);
    expect(complaints(await examineStore(asUser))).toEqual([nothingKept]);
    await redis.cli('acl', 'setuser', 'clickmilter', '-config|get');
    expect(complaints(await examineStore(asUser))).toEqual([
      expect.stringContaining('CONFIG GET is refused'),
    ]);
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

test('a block list and opt-outs with invalid lines: doctor and block report them', async () => {
  const state = mkdtempSync(join(folder, 'state-'));
  writeFileSync(join(state, 'blocked'), 'domain example.com\nnonsense\n');
  writeFileSync(join(state, 'opt-outs'), 'nonsense\n');
  const text = `state_directory = "${state}"`;
  const [block, optOut] = [
    `${state}/blocked:2: invalid line in block list, ignored: expected `,
    `${state}/opt-outs:1: invalid line in the opt-outs, ignored`,
  ];
  expect(complaints(await examineStore(configurationOf(text)))).toEqual([
    expect.stringContaining(`error: ${block}`),
    `error: ${optOut}`,
  ]);
  const file = join(state, 'clickmilter.conf');
  writeFileSync(file, text);
  const blocks = await runCli(['-c', file, 'block']);
  expect(blocks.stdout.toString()).toBe('domain example.com\n');
  expect(blocks.stderr).toContain(`clickmilter: ${block}`);
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
      `error: ${keys} has mode 644, everybody who can read it can forge links: chmod 600 ${keys}`,
    ]);
    chmodSync(keys, 0o640);
    expect(await examine(state)).toEqual([expect.stringMatching(/^warning: .* has mode 640/)]);
    chmodSync(keys, 0o600);
    writeFileSync(keys, 'nonsense\n');
    expect(await examine(state)).toEqual([expect.stringMatching(/^error: .*keys:1/)]);
    writeFileSync(`${keys}.made`, '');
    unlinkSync(keys);
    expect(await examine(state)).toEqual([expect.stringMatching(/^error: .* is missing/)]);
  });
});

test('a log that the user of the service may not write', async () => {
  const [state, logs] = [mkdtempSync(join(folder, 'state-')), mkdtempSync(join(folder, 'logs-'))];
  const file = join(logs, 'clickmilter.log');
  const config = configurationOf(`state_directory = "${state}"  log { file = "${file}" }`);
  expect(complaints(await examineState(config))).toEqual([]);
  chownSync(state, 12_345, 12_345);
  expect(complaints(await examineState(config))).toEqual([
    expect.stringMatching(
      /^warning: the service user \(uid 12345\) cannot write to .*logs-.*clickmilter\.log/,
    ),
  ]);
  chownSync(logs, 12_345, 12_345);
  expect(complaints(await examineState(config))).toEqual([]);
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
    'warning: it answers; without the keys, doctor cannot tell whether that is our redirect';
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
      .replaceAll(etc, 'ETC')
      .replaceAll(folder, 'FOLDER')
      .replaceAll(service.dir, 'SERVICE')
      .replaceAll(String(service.milterPort), '8893')
      .replaceAll(String(service.httpPort), '8080')
      // The journal's folder, once there is one.
      .replace(/\d+ MiB are free at SERVICE\/var(\/events)?/, '… MiB are free at SERVICE/var')
      .replace(/clock: .*/, 'clock: …');
    expect(text).toMatchInlineSnapshot(`
      "ok       configuration: FOLDER/doctor.conf: no problems
      ok       keys: SERVICE/var/keys holds 1 key
      ok       disk: … MiB are free at SERVICE/var
      ok       redis: not used: links are sealed, and clicks go to the journal
      ok       service: the milter, 127.0.0.1:8893, negotiates version 6 of the protocol
      ok       engagement page: it is off, and nobody can look
      warning  postfix: Postfix is not running: postfix -c ETC start
      ok       postfix: 1 of 1 smtpd services use clickmilter
      ok       postfix: mail from sendmail(1) on this machine does not pass clickmilter (non_smtpd_milters)
      ok       http://localhost:8080: DNS has 127.0.0.1
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
