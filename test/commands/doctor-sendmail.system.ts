import { chmodSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { examineSendmail } from '../../src/commands/doctor-sendmail.ts';
import { catchMail, type MailCatcher } from '../helpers/catch-mail.ts';
import { complaints } from '../helpers/complaints.ts';
import { configurationOf } from '../helpers/configuration.ts';
import { freePort } from '../helpers/free-port.ts';
import { startSendmail } from '../helpers/sendmail.ts';
import { type Service, startService } from '../helpers/service.ts';
import { send } from '../helpers/smtp-client.ts';

// Each mistake with a Sendmail that makes it: what becomes of mail, and what doctor says.

let folder: string;
let socket: string;
let catcher: MailCatcher;
let service: Service;
beforeAll(async () => {
  // Sendmail opens no socket below a folder that others may write to.
  folder = mkdtempSync('/run/clickmilter-');
  chmodSync(folder, 0o755);
  socket = join(folder, 'milter.sock');
  catcher = await catchMail();
  service = await startService(
    'ESMTP_Listener { tracking_domain = "click.test"  click_tracking_enabled = on }',
    { milter: socket },
  );
});
afterAll(async () => {
  await Promise.all([service?.stop(), catcher?.stop()]);
  rmSync(folder, { recursive: true });
});

type Fate = 'tracked' | 'untracked' | 'deferred';

async function fate(port: number): Promise<Fate> {
  const code = await send(port, 'Subject: hello\r\n\r\nhttps://www.example.com/\r\n').then(
    (reply) => reply.code,
    () => 451,
  );
  if (code !== 250) return 'deferred';
  return (await catcher.take()).raw.includes('http://click.test/') ? 'tracked' : 'untracked';
}

async function doctor(file: string): Promise<readonly string[]> {
  const config = configurationOf(`Milter_Listener { Listen "${socket}" { } }`);
  const said = complaints(await examineSendmail(config, file));
  return said.map((one) => one.replaceAll(file, 'FILE').replaceAll(folder, 'FOLDER'));
}

test.each<[string, string, Fate, readonly string[]]>([
  ['as the README has it', 'S=unix:SOCKET, F=T', 'tracked', []],
  ['the path alone', 'S=SOCKET, F=T', 'tracked', []],
  ['long words', 'Socket = local:SOCKET, Flags = T', 'tracked', []],
  [
    'no F=T',
    'S=unix:SOCKET',
    'tracked',
    ['warning: clickmilter: without F=T mail passes untracked while the milter is away'],
  ],
  [
    'another socket',
    'S=unix:FOLDER/other.sock, F=T',
    'deferred',
    [
      'error: FILE: clickmilter has S=unix:FOLDER/other.sock, where clickmilter does not listen: write S=unix:FOLDER/milter.sock in sendmail.mc, run make -C /etc/mail, and restart Sendmail',
    ],
  ],
  [
    'another socket, without F=T',
    'S=unix:FOLDER/other.sock',
    'untracked',
    [
      'error: FILE: clickmilter has S=unix:FOLDER/other.sock, where clickmilter does not listen: write S=unix:FOLDER/milter.sock in sendmail.mc, run make -C /etc/mail, and restart Sendmail',
    ],
  ],
])('%s', async (_, equates, expected, said) => {
  const sendmail = await startSendmail({
    deliverTo: catcher.port,
    milter: equates.replace('SOCKET', socket).replace('FOLDER', folder),
  });
  onTestFinished(() => sendmail.stop());
  expect(await fate(sendmail.port)).toBe(expected);
  expect(await doctor(sendmail.file)).toEqual(said);
});

test('no milter at all', async () => {
  const sendmail = await startSendmail({ deliverTo: catcher.port });
  onTestFinished(() => sendmail.stop());
  expect(await fate(sendmail.port)).toBe('untracked');
  expect(await doctor(sendmail.file)).toEqual([
    expect.stringMatching(/^error: FILE: Sendmail does not use clickmilter: add INPUT_MAIL_FILTER/),
  ]);
});

test('a submission daemon with a list of its own, one with ours, and one with an empty one', async () => {
  const [submission, signing, inner] = [await freePort(), await freePort(), await freePort()];
  const sendmail = await startSendmail({
    deliverTo: catcher.port,
    milter: `S=unix:${socket}, F=T`,
    conf: `Xother, S=inet:${await freePort()}@127.0.0.1
O DaemonPortOptions=Name=MSA, Addr=127.0.0.1, Port=${submission}, M=E, I=other
O DaemonPortOptions=Name=both, Addr=127.0.0.1, Port=${signing}, InputMailFilters=clickmilter;other
O DaemonPortOptions=Addr=127.0.0.1, Port=${inner}, I=`,
  });
  onTestFinished(() => sendmail.stop());
  const ports = [sendmail.port, submission, signing, inner];
  const fates: Fate[] = [];
  for (const port of ports) fates.push(await fate(port));
  expect(fates).toEqual(['tracked', 'untracked', 'tracked', 'untracked']);
  expect(await doctor(sendmail.file)).toEqual([
    'warning: MSA: its own InputMailFilters (I=other) in DAEMON_OPTIONS do not name clickmilter: its mail is not tracked',
    `warning: port ${inner}: its own InputMailFilters (I=) in DAEMON_OPTIONS do not name clickmilter: its mail is not tracked`,
    expect.stringMatching(
      /^warning: other: inet:127.0.0.1:\d+ does not answer .*; mail passes it by$/,
    ),
  ]);
});

test.each<[string, string, Fate]>([
  ['', '755', 'tracked'],
  ['', '775', 'deferred'],
  ['', '1777', 'deferred'],
  // As Debian's sendmail.mc has it, among others.
  ['TrustStickyBit', '1777', 'tracked'],
  ['AssumeSafeChown,TrustStickyBit', '777', 'deferred'],
  ['GroupWritableDirPathSafe', '775', 'tracked'],
  ['GroupWritableDirPathSafe', '757', 'deferred'],
])(
  'DontBlameSendmail=%s, and a folder of mode %s for the socket',
  async (words, bits, expected) => {
    const sendmail = await startSendmail({
      deliverTo: catcher.port,
      milter: `S=unix:${socket}, F=T`,
      conf: `O DontBlameSendmail=${words || 'safe'}`,
    });
    onTestFinished(async () => {
      await sendmail.stop();
      chmodSync(folder, 0o755);
    });
    chmodSync(folder, Number.parseInt(bits, 8));
    expect(await fate(sendmail.port)).toBe(expected);
    expect(await doctor(sendmail.file)).toEqual(
      expected === 'tracked'
        ? []
        : [
            `error: clickmilter: Sendmail does not use a socket below FOLDER, to which others may write (mode ${bits.slice(-3)}): chmod go-w FOLDER`,
          ],
    );
  },
);

test('a file that changed: Sendmail goes on as it started', async () => {
  const sendmail = await startSendmail({
    deliverTo: catcher.port,
    milter: `S=unix:${socket}, F=T`,
  });
  onTestFinished(() => sendmail.stop());
  writeFileSync(sendmail.file, 'O InputMailFilters=\n', { flag: 'a' });
  const soon = Date.now() / 1000 + 5;
  utimesSync(sendmail.file, soon, soon);
  expect(await fate(sendmail.port)).toBe('tracked');
  expect(await doctor(sendmail.file)).toEqual([
    'warning: FILE changed after Sendmail started: restart Sendmail',
    'error: FILE: clickmilter is defined, but InputMailFilters does not name it',
  ]);
});

test('a milter that nothing defines: Sendmail does not start', async () => {
  const started = startSendmail({
    deliverTo: catcher.port,
    milter: `S=unix:${socket}, F=T`,
    conf: `O DaemonPortOptions=Addr=127.0.0.1, Port=${await freePort()}, I=opendkim`,
  });
  await expect(started).rejects.toThrow('InputFilter opendkim not defined');
});
