import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { hostname, networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Finding } from '../../src/commands/doctor-finding.ts';
import { examinePostfix } from '../../src/commands/doctor-postfix.ts';
import { complaints } from '../helpers/complaints.ts';
import { configurationOf } from '../helpers/configuration.ts';
import { requireProgram } from '../helpers/peer-process.ts';

describe('Postfix, by its own postconf', () => {
  const SMTPD = 'smtp inet n - n - - smtpd';
  const CHROOTED = 'smtp inet n - y - - smtpd';
  const OURS = 'smtpd_milters = inet:127.0.0.1:8893\n';
  /** The port of the milter at an address where nobody listens, not even a service of this host. */
  const NOBODY = '127.89.3.1:8893';
  let folder: string;
  let queue: string;

  let signer: Server;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'doctor-postfix-'));
    chmodSync(folder, 0o755);
    requireProgram('postconf', 'postfix');
    queue = join(folder, 'queue');
    mkdirSync(join(queue, 'clickmilter'), { recursive: true });
    // What Postfix's master leaves there while it runs, and a signer that answers.
    mkdirSync(join(queue, 'pid'));
    writeFileSync(join(queue, 'pid/master.pid'), `${process.pid}\n`);
    await new Promise<void>((listening) => {
      signer = createServer().listen(join(folder, 'opendkim.sock'), listening);
    });
  });
  afterAll(() => {
    signer.close();
    rmSync(folder, { recursive: true });
  });

  async function examine(
    main: string,
    master: string,
    listen = '127.0.0.1:8893',
    more = '',
  ): Promise<readonly Finding[]> {
    const etc = mkdtempSync(join(folder, 'etc-'));
    const file = join(etc, 'main.cf');
    const placed = main.replaceAll('FOLDER', folder);
    writeFileSync(file, `compatibility_level = 3.6\nqueue_directory = ${queue}\n${placed}`);
    utimesSync(file, 0, 0); // Postfix waits until it is sure that nobody is still writing to it
    writeFileSync(join(etc, 'master.cf'), `${master}\n`);
    const config = configurationOf(`Milter_Listener { Listen "${listen}" { } }\n${more}`);
    const findings = await examinePostfix(config, etc);
    // Each examination has an instance of its own.
    return findings.map((finding) => ({
      ...finding,
      message: finding.message.replaceAll(` -c ${etc}`, ''),
    }));
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
      'smtpd_milters = inet:127.0.0.1:8893, unix:FOLDER/opendkim.sock\n',
      SMTPD,
    ],
    ['asks us in master.cf', '', `${SMTPD}\n -o smtpd_milters=inet:127.0.0.1:8893`],
    [
      'says tempfail for us alone',
      'milter_default_action = accept\nsmtpd_milters = {inet:127.0.0.1:8893, default_action=tempfail}\n',
      SMTPD,
    ],
    [
      'says tempfail for us alone, in braces of its own',
      'milter_default_action = accept\nsmtpd_milters = { inet:127.0.0.1:8893, {default_action = tempfail} }, unix:FOLDER/opendkim.sock\n',
      SMTPD,
    ],
    [
      'has a service that is switched off',
      `${OURS}master_service_disable = !smtp/inet, inet\n`,
      `${SMTPD}\n587 inet n - n - - smtpd\n -o smtpd_milters=`,
    ],
    [
      'asks no milters where a map is',
      `${OURS}smtpd_milter_maps = inline:{127.0.0.1=DISABLE}\n`,
      `${SMTPD}\n -o smtpd_milter_maps=\n127.0.0.1:10025 inet n - n - - smtpd\n -o receive_override_options=no_milters`,
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
    ['somebody else is asked', 'smtpd_milters = unix:FOLDER/opendkim.sock\n', SMTPD, ''],
    [
      'the signer comes first',
      'smtpd_milters = unix:FOLDER/opendkim.sock, inet:127.0.0.1:8893\n',
      SMTPD,
      '',
    ],
    ['accept loses mail', `${OURS}milter_default_action = accept\n`, SMTPD, ''],
    [
      'accept loses mail, said in braces of its own',
      'smtpd_milters = {inet:127.0.0.1:8893, { default_action = accept }}\n',
      SMTPD,
      '',
    ],
    [
      'accept loses mail, said in master.cf',
      '',
      `${SMTPD}\n -o { smtpd_milters = {inet:127.0.0.1:8893, { default_action = accept }} }`,
      '',
    ],
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
    [
      'a map switches milters off for some clients',
      `${OURS}smtpd_milter_maps = inline:{0.0.0.0/0=DISABLE}\n`,
      SMTPD,
      '',
    ],
    [
      'a map may name us',
      `smtpd_milter_maps = inline:{192.0.2.1=inet:127.0.0.1:8893}\n`,
      SMTPD,
      '',
    ],
    ['the only smtpd is switched off', `${OURS}master_service_disable = smtp/inet\n`, SMTPD, ''],
    ['all of inet is switched off', `${OURS}master_service_disable = INET\n`, SMTPD, ''],
    ['no time for Redis', `${OURS}milter_content_timeout = 10s\n`, SMTPD, 'link_store = redis'],
    ['a proxy filter comes first', `${OURS}smtpd_proxy_filter = 127.0.0.1:10024\n`, SMTPD, ''],
    [
      'another milter is not there',
      'smtpd_milters = inet:127.0.0.1:8893, unix:FOLDER/gone.sock\n',
      SMTPD,
      '',
    ],
    ['an old protocol', `${OURS}milter_protocol = 2\n`, SMTPD, ''],
  ])('%s', async (name, main, master, more) => {
    const found = complaints(await examine(main, master, undefined, more)).join('\n');
    expect(found.replaceAll(folder, 'FOLDER')).toMatchSnapshot(name);
  });

  test('a chroot and a socket outside of it', async () => {
    const outside = join(folder, 'milter.sock');
    const main = `smtpd_milters = unix:${outside}\n`;
    expect(complaints(await examine(main, SMTPD, outside))).toEqual([]);
    expect(complaints(await examine(main, CHROOTED, outside))).toEqual([
      `error: smtp/inet: smtpd runs in a chroot and cannot reach unix:${outside}: Listen on a path in the queue directory, and name it without that directory`,
      expect.stringMatching(/^error: no smtpd uses clickmilter/),
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
      `error: no smtpd uses clickmilter: postconf -e 'smtpd_milters = ${advised}' && postfix reload`,
    ]);
    const main = `smtpd_milters = ${advised}\n`;
    expect(complaints(await examine(main, master, placed(listen)))).toEqual([]);
  });

  test('its commands are for the instance that was examined', async () => {
    const etc = mkdtempSync(join(folder, 'etc-'));
    writeFileSync(join(etc, 'main.cf'), `compatibility_level = 3.6\nqueue_directory = ${folder}\n`);
    writeFileSync(join(etc, 'master.cf'), `${SMTPD}\n`);
    const config = configurationOf('Milter_Listener { Listen "127.0.0.1:8893" { } }');
    const [stopped = '', unasked = ''] = complaints(await examinePostfix(config, etc));
    expect(stopped).toBe(`warning: Postfix is not running: postfix -c ${etc} start`);
    const [, command = '', reload] = /: (postconf .*) && (postfix .*)$/.exec(unasked) ?? [];
    expect(reload).toBe(`postfix -c ${etc} reload`);
    execFileSync('sh', ['-euc', command]);
    expect(complaints(await examinePostfix(config, etc))).toEqual([stopped]);
  });

  test('it proposes no address where systemd does not listen', async () => {
    const bin = mkdtempSync(join(folder, 'bin-'));
    const unit = 'ActiveState=active\\nUnitFileState=enabled\\nListen=127.0.0.1:8893 (Stream)\\n';
    writeFileSync(join(bin, 'systemctl'), `#!/bin/sh\nprintf '${unit}'\n`, { mode: 0o755 });
    vi.stubEnv('PATH', `${bin}:${process.env['PATH']}`);
    onTestFinished(() => void vi.unstubAllEnvs());
    expect(complaints(await examine('', SMTPD, '[::1]:8893'))).toEqual([
      'error: no smtpd uses clickmilter where the configuration says that it listens: systemd listens for the milter at 127.0.0.1:8893, not at [::1]:8893 as the configuration says: change the one or the other (systemctl edit clickmilter-milter.socket)',
    ]);
    const [same] = complaints(await examine('', SMTPD, '127.0.0.1:8893'));
    expect(same).toContain('postconf -e');
  });

  test('it proposes no address that a chroot keeps Postfix from', async () => {
    const outside = join(folder, 'milter.sock');
    expect(complaints(await examine('', CHROOTED, outside))).toEqual([
      `error: no smtpd uses clickmilter: smtp/inet: smtpd runs in a chroot and cannot reach unix:${outside}: Listen on a path in the queue directory, and name it without that directory`,
    ]);
  });

  test.each([
    ['the default one', `inet:${NOBODY}`, ''],
    ['an old path', '{ unix:/clickmilter/milter.sock, default_action=tempfail }', ''],
    [
      'one between others',
      `unix:FOLDER/opendkim.sock, {inet:${NOBODY},default_action=tempfail}`,
      ', unix:FOLDER/opendkim.sock',
    ],
  ])('its advice replaces an address of ours where nobody listens: %s', async (_, old, kept) => {
    const listen = '10.9.9.9:8899';
    const findings = complaints(await examine(`smtpd_milters = ${old}\n`, SMTPD, listen));
    const [, advised = ''] = /postconf -e '(.*)' && postfix reload$/m.exec(findings[0] ?? '') ?? [];
    expect(advised).toBe(
      `smtpd_milters = {inet:${listen}, default_action=tempfail}${kept.replace('FOLDER', folder)}`,
    );
    expect(findings.slice(1)).toEqual([expect.stringContaining('remove it')]);
    expect(complaints(await examine(`${advised}\n`, SMTPD, listen))).toEqual([]);
  });

  test('an address of ours beside the right one, where nobody listens', async () => {
    const main = `smtpd_milters = inet:10.9.9.9:8899, inet:${NOBODY}\n`;
    expect(complaints(await examine(main, SMTPD, '10.9.9.9:8899'))).toEqual([
      expect.stringMatching(`^error: smtp/inet: inet:${NOBODY} does not answer .* remove it`),
    ]);
  });

  test('Postfix that is not running', async () => {
    const file = join(queue, 'pid/master.pid');
    rmSync(file);
    try {
      expect(complaints(await examine(OURS, SMTPD))).toEqual([
        'warning: Postfix is not running: postfix start',
      ]);
    } finally {
      writeFileSync(file, `${process.pid}\n`);
    }
  });

  test('whoever listens everywhere is asked at any address and name of this host', async () => {
    const own = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses);
    for (const name of [hostname(), 'mail.example.com', ...own.map(({ address }) => address)]) {
      const main = `myhostname = mail.example.com\nsmtpd_milters = inet:[${name}]:8893\n`;
      expect(complaints(await examine(main, SMTPD, '*:8893')), name).toEqual([]);
    }
    const elsewhere = await examine('smtpd_milters = inet:198.51.100.7:8893\n', SMTPD, '*:8893');
    expect(complaints(elsewhere)[0]).toMatch(/^error: no smtpd uses clickmilter/);
  });

  test.each([
    ['localhost', '10.9.9.9:8893'],
    ['[::1]', '0.0.0.0:8893'],
    ['127.0.0.1', '[::]:8893'],
  ])('%s is nobody who listens on %s', async (name, listen) => {
    const [first] = await examine(`smtpd_milters = inet:${name}:8893\n`, SMTPD, listen);
    expect(first).toMatchObject({
      level: 'error',
      message: expect.stringMatching(/^no smtpd uses clickmilter/),
    });
  });

  test('a folder without main.cf', async () => {
    const config = configurationOf('');
    expect(complaints(await examinePostfix(config, join(folder, 'none')))).toEqual([
      `error: postconf: fatal: open ${folder}/none/main.cf: No such file or directory; --postfix takes the folder of main.cf`,
    ]);
  });

  test('a chroot and a socket in the queue folder, which Postfix may write to or not', async () => {
    const inside = join(queue, 'clickmilter/milter.sock');
    const main = 'smtpd_milters = unix:/clickmilter/milter.sock\n';
    expect(complaints(await examine(main, CHROOTED, inside))).toEqual([]);
    writeFileSync(inside, ''); // its mode is all that counts here
    chmodSync(inside, 0o660);
    expect(complaints(await examine(main, CHROOTED, inside))).toEqual([
      `error: the user postfix may not write to ${inside} (mode 660): file_mode = 0660 and file_group = postfix, or SocketGroup=postfix where systemd opens it`,
    ]);
    chmodSync(inside, 0o666);
    expect(complaints(await examine(main, CHROOTED, inside))).toEqual([]);

    const above = join(queue, 'clickmilter');
    chmodSync(above, 0o700);
    const [closed = '', ...others] = complaints(await examine(main, CHROOTED, inside));
    expect(others).toEqual([]);
    expect(closed).toBe(
      `error: the user postfix cannot enter ${above}, and so cannot reach ${inside}: chmod a+x ${above}`,
    );
    execFileSync('sh', ['-euc', closed.replace(/^.*: chmod/, 'chmod')]);
    expect(complaints(await examine(main, CHROOTED, inside))).toEqual([]);
  });
});
