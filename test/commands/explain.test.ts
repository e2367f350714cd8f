import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { explainCommand } from '../../src/commands/explain.ts';
import { runCommand } from '../helpers/run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'clickmilter-explain-'));
const config = join(folder, 'test.conf');
const message = join(folder, 'message.eml');
afterAll(() => rmSync(folder, { recursive: true }));

beforeAll(() => {
  writeFileSync(
    config,
    `smtpapi { }
ESMTP_Listener {
  tracking_domain = "click.example.com"
  exclude_domains = "excluded.example"  exclude_recipients = "boss@example.com"
  Listen "*:587" { click_tracking_enabled = on }
  Peer "10.0.0.0/8" { context = [ smtpapi_campaign_id = "from ten" ] }
  Peer "10.0.0.1" { recipients = single }
}
pathway "shop" { click_tracking_scheme = https }
`,
  );
  writeFileSync(
    message,
    `From: a@example.com
To: b@example.com
X-MSYS-API: {"options":{"click_tracking":true},"tags":["x"]}
Content-Type: text/html

<a href="https://example.org/1">one</a> <a href="mailto:a@b">two</a>
<a href="https://excluded.example/3">three</a> <a href="https://example.org/4" data-msys-clicktrack="0">four</a>
`,
  );
});

const explain = async (...args: string[]) => {
  const { code, stdout, stderr } = await runCommand(explainCommand, [
    '-c',
    config,
    'explain',
    ...args,
  ]);
  return { code, stderr, stdout: stdout.replaceAll(`${folder}/`, '') };
};
const shop = ['--macro', '{auth_authen}=shop'];
const ten = ['--listen', '192.0.2.1:587', '--peer', '10.0.0.1'];

test('fields of X-MSYS-API that are not done are named', async () => {
  const file = join(folder, 'not-done.eml');
  const header = '{"cc":[{"email":"a@b.example"}],"options":{"ip_pool":"x","open_tracking":true}}';
  writeFileSync(file, `From: a@b.example\nX-MSYS-API: ${header}\n\nhttp://example.org/\n`);
  const login = ['--macro', '{auth_authen}=shop', '--message', file];
  const names = 'cc, options.ip_pool, options.open_tracking';
  expect((await explain(...login)).stdout).toContain(
    `Not implemented by clickmilter\n  X-MSYS-API ${names}\n`,
  );
  const { notDone } = JSON.parse((await explain(...login, '--json')).stdout);
  expect(notDone.join(', ')).toBe(names);
});

test.each([
  [
    'a sender without a login',
    [],
    '',
    'accept_x_msys_api = authenticated, and the MTA reports no login',
  ],
  [
    'nobody',
    ['--macro', '{auth_authen}=me'],
    'accept_x_msys_api = none',
    'accept_x_msys_api = none',
  ],
])(
  'headers of other vendors are ignored for %s, with the reason',
  async (_, login, accept, reason) => {
    const other = join(folder, 'ignored-vendors.conf');
    writeFileSync(other, `ESMTP_Listener { accept_headers = ( postmark ) ${accept} }`);
    const args = ['-c', other, 'explain', ...login];
    const { stdout } = await runCommand(explainCommand, args);
    expect(stdout).toContain(`\n  accept_headers  ignored: ${reason}\n`);
    expect(stdout).toMatch(/^Such mail is not tracked\.$/m);
    const json = JSON.parse((await runCommand(explainCommand, [...args, '--json'])).stdout);
    expect(json.acceptHeaders).toEqual({ read: false, reason });
  },
);

test.each([
  ['accept_headers = ( postmark )', '', 'one of accept_headers'],
  ['', 'smtpapi { }', 'its X-MSYS-API header'],
  [
    'accept_headers = ( postmark )',
    'smtpapi { }',
    'its X-MSYS-API header or one of accept_headers',
  ],
])(
  'mail is not tracked unless a header that is honoured says otherwise: %s %s',
  async (scope, more, header) => {
    const other = join(folder, 'honoured.conf');
    writeFileSync(other, `ESMTP_Listener { ${scope} } ${more}`);
    const { stdout } = await runCommand(explainCommand, ['-c', other, 'explain', ...shop]);
    expect(stdout).toContain(`\nSuch mail is not tracked, unless ${header} says otherwise.\n`);
  },
);

test('headers of other vendors decide, and are named where they are not done', async () => {
  const other = join(folder, 'vendors.conf');
  writeFileSync(other, 'ESMTP_Listener { accept_headers = ( postmark ) }');
  const file = join(folder, 'vendors.eml');
  const fields = 'X-PM-TrackLinks: HtmlOnly\nX-PM-Tag: welcome\nX-PM-Metadata-Color: blue';
  writeFileSync(file, `From: a@b.example\n${fields}\n\nhttp://example.org/\n`);
  const args = ['-c', other, 'explain', '--macro', '{auth_authen}=me', '--message', file];
  const { stdout } = await runCommand(explainCommand, args);
  expect(stdout).toMatch(/^ {2}click_tracking_enabled = true +X-PM-TrackLinks$/m);
  expect(stdout).toMatch(/^ {2}click_tracking_parts = html +X-PM-TrackLinks$/m);
  expect(stdout).toMatch(/^ {2}tags = \( welcome \) +X-PM-Tag$/m);
  expect(stdout).toContain('Not implemented by clickmilter\n  X-PM-Metadata-Color\n');
  const json = JSON.parse((await runCommand(explainCommand, [...args, '--json'])).stdout);
  expect(json.notDone).toEqual(['X-PM-Metadata-Color']);
});

describe('mail of a kind', () => {
  test('nothing known', async () => {
    expect((await explain()).stdout).toMatchSnapshot();
  });

  test('facts from options and from macros, a context variable from a macro', async () => {
    const macros = [
      '{client_addr}=10.9.9.9',
      '{daemon_addr}=::1',
      '{daemon_port}=587',
      'smtpapi_tracking_domain=MTA.example',
      'smtpapi_tags=none',
    ];
    const { stdout } = await explain(...shop, ...macros.flatMap((macro) => ['--macro', macro]));
    expect(stdout).toMatchSnapshot();
  });
});

test.each([
  ['--peer', '10.0.0.300'],
  ['--peer', 'mail.example.com'],
  ['--listen', '587'],
  ['--listen', 'mail.example.com:587'],
])(
  '%s %s is told to be no address, instead of explained as mail that matches nothing',
  async (...args) => {
    await expect(explain(...args)).rejects.toThrow(/is invalid. Expected/);
  },
);

describe('one message', () => {
  test('each link, with the reason where it is left alone', async () => {
    const { stdout } = await explain(
      ...ten,
      ...shop,
      '--recipient',
      'b@example.com',
      '--message',
      message,
    );
    expect(stdout).toMatchSnapshot();
  });

  test('the links of a part that is not tracked', async () => {
    const [settings, file] = [join(folder, 'parts.conf'), join(folder, 'parts.eml')];
    writeFileSync(
      settings,
      'ESMTP_Listener { click_tracking_enabled = on  click_tracking_parts = html }',
    );
    writeFileSync(
      file,
      'Content-Type: multipart/alternative; boundary=b\n\n--b\n\nhttps://a.example/\n--b\n' +
        'Content-Type: text/html\n\n<a href="https://a.example/">x</a>\n--b--\n',
    );
    const args = ['-c', settings, 'explain', '--message', file];
    const { stdout } = await runCommand(explainCommand, args);
    expect(stdout.replaceAll(`${folder}/`, '')).toMatch(
      /click_tracking_parts = html +parts\.conf:1, ESMTP_Listener\n/,
    );
    expect(stdout).toMatch(
      /text {2}in a part that is not tracked \(click_tracking_parts\) +https:\/\/a\.example\/\n +html {2}tracked/,
    );
    expect(stdout).toContain('1 of 2 links tracked.');
  });

  test.each([
    [['--peer', '192.0.2.9'], 'This message is untouched: click_tracking_enabled is off.'],
    [
      [...ten, '--recipient', 'a@b', '--recipient', 'c@d'],
      'This message is untouched: recipients = single, and it does not have exactly one recipient.',
    ],
    [
      [...ten, '--recipient', '<Boss@example.com>'],
      'This message is untouched: a recipient is in exclude_recipients.',
    ],
  ])('%j', async (args, verdict) => {
    const { stdout } = await explain(...args, '--message', message);
    expect(stdout.trimEnd().split('\n').at(-1)).toBe(verdict);
  });

  test("a stranger's control characters do not reach the terminal", async () => {
    const hostile = join(folder, 'hostile.eml');
    writeFileSync(
      hostile,
      'X-MSYS-API: {"campaign_id":"c\\u001b]0;x\\u0007\\u009b31m","metadata":{"\u009b1m":"\\u007f"}}\n' +
        'Content-Type: text/html; charset=utf-8\n\n<a href="mailto:x&#27;[2J&#7;y\u009b1mz\u009d">x</a>\n',
    );
    const args = [...shop, '--listen', ':587', '--message', hostile];
    const { stdout } = await explain(...args);
    expect(stdout.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    expect(stdout).toMatch(
      /^ {2}html {2}not http or https, or part of such a link {2}mailto:xyz$/m,
    );
    const { stdout: json } = await explain(...args, '--json');
    expect(json.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    const { options } = JSON.parse(json);
    expect(options.campaign_id.value).toBe('c\u001b]0;x\u0007\u009b31m');
    expect(JSON.parse(options.metadata.value)).toEqual({ '\u009b1m': '\u007f' });
  });

  test('that is not there', async () => {
    const { code, stderr } = await explain('--message', join(folder, 'none.eml'));
    expect(code).toBe(64);
    expect(stderr).toContain('cannot read the message');
  });
});

test('for scripts as JSON', async () => {
  const { stdout } = await explain(
    ...ten,
    ...shop,
    '--recipient',
    'b@example.com',
    '--message',
    message,
    '--json',
  );
  const json = JSON.parse(stdout);
  expect(json).toMatchObject({
    facts: { listen: '192.0.2.1:587', peer: '10.0.0.1', pathway: 'shop' },
    pathway: 'shop',
    xMsysApi: { read: true },
    options: {
      click_tracking_enabled: {
        value: true,
        from: { kind: 'header', field: 'options.click_tracking' },
      },
      tracking_domain: {
        value: 'click.example.com',
        from: { setting: { origin: { file: 'test.conf', line: 3 } } },
      },
      campaign_id: { value: 'from ten', from: { kind: 'context', name: 'smtpapi_campaign_id' } },
      tags: { value: ['x'] },
    },
    message: { verdict: 'tracked' },
  });
  expect(
    json.message.links.map(
      ({ tracked, reason }: { tracked: boolean; reason?: string }) => reason ?? tracked,
    ),
  ).toEqual([true, 'scheme', 'excluded', 'opted-out']);
});

describe('a tracking domain with {sender_domain}', () => {
  const file = join(folder, 'sender.conf');
  beforeAll(() => {
    writeFileSync(
      file,
      `ESMTP_Listener {
  click_tracking_enabled = on
  tracking_domain = "click.{sender_domain}"
  tracking_domains_allowed = "click.a.example"
}
`,
    );
  });
  test.each([
    [['--sender', 'x@a.example'], 'tracking_domain = click.a.example', 'Such mail is tracked.'],
    [
      ['--sender', 'x@b.example'],
      'tracking_domain = "click.{sender_domain}"',
      'Such mail is not tracked: tracking_domains_allowed does not have click.b.example.',
    ],
    [
      [],
      'tracking_domain = "click.{sender_domain}"',
      'Such mail is tracked if tracking_domains_allowed has click.{sender_domain}: give --sender.',
    ],
    [
      ['--sender', 'x@b.example', '--message', message],
      'tracking_domain = "click.{sender_domain}"',
      'This message is untouched: tracking_domains_allowed does not have the tracking domain of its sender.',
    ],
  ])('%j', async (args, option, verdict) => {
    const { stdout } = await runCommand(explainCommand, ['-c', file, 'explain', ...args]);
    expect(stdout).toContain(`  ${option} `);
    expect(stdout.trimEnd().split('\n').at(-1)).toBe(verdict);
  });
});
